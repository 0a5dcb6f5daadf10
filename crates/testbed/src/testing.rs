//! The harness for the tests of all crates: real PostgreSQL, real processes, no sleeps. The crates take
//! this one as a dev-dependency. Start with [`TestDatabase::create`].

mod at_the_end;
pub mod browser;
mod cluster;
mod database;
mod pooler;
mod replica;
mod side_connection;
mod wait;
mod write_program;

pub use at_the_end::AtTheEnd;
pub use database::TestDatabase;
pub use pooler::Pooler;
pub use replica::{Replica, ReplicaSettings};
pub use side_connection::SideConnection;
pub use wait::wait_until;
pub use write_program::write_program;
