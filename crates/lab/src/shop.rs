//! The shop from outside, as the check, the race, the drill and the watch see it: over HTTP ([`client`]), in its
//! database ([`database`]), each way to sell that it knows ([`contestant`]), and what a buyer was told
//! ([`purchase`]). Start with [`target`].

pub mod buy_request;
pub mod client;
pub mod contestant;
pub mod database;
pub mod holdings;
pub mod kept_connection;
pub mod ledger;
pub mod patiently;
pub mod purchase;
pub mod sent_order;
pub mod target;
pub mod told;
