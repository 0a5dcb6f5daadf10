//! The wire between the replicas and PostgreSQL. What passes it is read along, and no byte is changed. Start with
//! [`Wiretap::listen`]. [`trace`] is what is known of a transaction, [`mod@line`] can make PostgreSQL seem far away or broken.

mod archive;
mod carrier;
pub mod line;
mod protocol;
mod recorded;
mod recorder;
mod tape;
pub mod trace;
mod values;
mod waits;
mod wiretap;

pub use recorder::Recorder;
pub use wiretap::{Entrance, Wiretap};
