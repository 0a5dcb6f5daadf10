//! A private PostgreSQL. [`programs`] finds its programs, or they are fetched. [`server`] makes its
//! data and runs it.

pub mod address;
pub mod cluster_files;
pub mod fetch;
pub mod initialize;
pub mod place;
pub mod programs;
pub mod server;
pub mod settings;
mod stale;

pub use address::{Address, Listen};
pub use programs::Programs;
pub use server::Cluster;
pub use settings::{ClusterSettings, Durability};
