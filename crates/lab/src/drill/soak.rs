//! A soak: random faults, one every few seconds, until the time is over; and what the shop uses of the machine
//! before and after. Start with [`Soak`].

use std::time::Duration;

use fastrand::Rng;
use serde::Serialize;

use super::fault::{Fault, Kind};
use super::resources::Resources;

/// For how long a fault lasts in a soak, in seconds, that can last.
pub const LASTS_SECONDS: std::ops::RangeInclusive<u64> = 1..=4;
/// How long the load runs at least around each.
pub const LOAD: Duration = Duration::from_secs(3);
/// Until connections are closed and pools at rest, before anything is measured.
pub const REST: Duration = Duration::from_secs(3);

/// What a soak has used.
#[derive(Clone, Debug, Serialize)]
pub struct Soak {
    /// For how long it was to last.
    pub minutes: u64,
    /// How many faults there were.
    pub faults: usize,
    /// Before the first of them, but after a burst: so that what is kept once for good is kept by then.
    pub start: Resources,
    /// After the last of them.
    pub end: Resources,
    /// What has grown beyond its margin, in words.
    pub growth: Vec<String>,
}

/// The fault that comes before anything is measured, if it is among the chosen ones: the one that takes most.
pub fn warm_up<'a>(faults: &[&'a Fault]) -> Option<&'a Fault> {
    faults.iter().find(|fault| fault.kind == Kind::Burst).or(faults.first()).copied()
}

/// The next one, and for how long.
pub fn next<'a>(faults: &[&'a Fault], random: &mut Rng) -> (&'a Fault, Duration) {
    (faults[random.usize(..faults.len())], Duration::from_secs(random.u64(LASTS_SECONDS)))
}
