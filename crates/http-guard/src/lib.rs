//! What every server built on actix-web owes the browsers that visit it, whatever it serves: it answers only to its own
//! names ([`host`]), lets no foreign page change anything ([`origin`]), and says what a browser is to refuse
//! ([`headers`]). How a refusal looks is the server's own affair. SECURITY.md says against whom.

pub mod headers;
pub mod host;
pub mod origin;
