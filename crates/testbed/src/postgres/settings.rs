//! What a private PostgreSQL is to be.

use std::path::Path;

use super::address::Listen;
use super::cluster_files::ClusterFiles;
use super::fetch::find_or_fetch;
use super::place::{Place, prepare};
use super::programs::Programs;

/// The replicas' pools, a test's own connections, and room to look around with psql.
pub const MAX_CONNECTIONS: u32 = 200;

/// What a crash of the machine may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: PostgreSQL's defaults, because this system shows what those cost.
    Durable,
    /// Everything: for tests, which end with their data.
    Disposable,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Where its files go, from [`prepare`].
    pub place: Place,
    /// What runs it.
    pub programs: Programs,
    /// What a crash may cost.
    pub durability: Durability,
    /// The most sessions at once.
    pub max_connections: u32,
    /// How it is to be reached.
    pub listen: Listen,
    /// Removes the place when the server ends.
    pub remove_afterwards: bool,
}

impl ClusterSettings {
    /// A place in `wanted`, and programs that suit what is there; where the machine has none, they are fetched
    /// into `programs`.
    ///
    /// # Errors
    /// When there is no such place, or there are no programs: what to do.
    pub fn find(
        wanted: &Path,
        programs: &Path,
        durability: Durability,
        say: &dyn Fn(&str),
    ) -> anyhow::Result<Self> {
        let place = prepare(wanted)?;
        let version = ClusterFiles { place: place.clone() }.major_version();
        let programs = find_or_fetch(programs, version.as_deref(), say)?;
        Ok(Self {
            place,
            programs,
            durability,
            max_connections: MAX_CONNECTIONS,
            listen: Listen::OnPort(None),
            remove_afterwards: false,
        })
    }
}
