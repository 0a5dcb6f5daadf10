//! The shop from outside, as the check, the race, the drill and the watch see it: over HTTP ([`client`]), in its
//! database ([`database`]), and each way to sell that it knows ([`contestant`]). Start with [`target`].

pub mod client;
pub mod contestant;
pub mod database;
pub mod holdings;
pub mod ledger;
pub mod patiently;
pub mod sent_order;
pub mod target;
pub mod told;
