//! The rules that protect browsers, for every server built on actix-web. The server answers only to its own names
//! ([`host`]), lets no foreign page change anything ([`origin`]), and tells the browser what to refuse
//! ([`headers`]). How a refusal looks is the server's own affair. SECURITY.md says against whom.

pub mod headers;
pub mod host;
pub mod origin;
