//! The harness for the tests of all crates, which take this one as a dev-dependency: real PostgreSQL, real
//! processes, no sleeps. Start with [`TestDatabase::create`].

mod cluster;
mod database;
mod replica;
mod side_connection;
mod wait;

pub use database::TestDatabase;
pub use replica::{Replica, ReplicaSettings};
pub use side_connection::SideConnection;
pub use wait::wait_until;
