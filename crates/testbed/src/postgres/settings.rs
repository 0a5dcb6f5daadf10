//! What a private PostgreSQL should be.

use std::path::Path;

use super::address::Listen;
use super::cluster_files::ClusterFiles;
use super::fetch::find_or_fetch;
use super::place::{Place, prepare};
use super::programs::Programs;

/// Enough for the replicas' pools, a test's own connections, and room to look around with psql.
pub const MAX_CONNECTIONS: u32 = 200;

/// What a crash of the machine may destroy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing. These are PostgreSQL's defaults, because this system shows what those cost.
    Durable,
    /// Everything. This is for tests, whose data end with them.
    Disposable,
}

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Where its files go, from [`prepare`].
    pub place: Place,
    /// The programs that run it.
    pub programs: Programs,
    /// What a crash may destroy.
    pub durability: Durability,
    /// How many sessions there may be at once.
    pub max_connections: u32,
    /// How the server should be reached.
    pub listen: Listen,
    /// Whether the place is removed when the server ends.
    pub remove_afterwards: bool,
}

impl ClusterSettings {
    /// A place in `wanted`, and programs that suit the data there. Where the machine has no such programs,
    /// they are fetched into `programs`.
    ///
    /// # Errors
    /// When there is no such place, or there are no programs. The error says what to do.
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
