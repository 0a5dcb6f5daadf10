//! A soak: random faults, one every few seconds, until the time is over. A soak also compares what the shop uses of
//! the machine before and after. Start with [`Soak`].

use std::time::Duration;

use fastrand::Rng;
use serde::Serialize;

use super::fault::{Fault, Kind};
use super::resources::Resources;

/// How many seconds a fault lasts in a soak, if the fault can last.
pub const LASTS_SECONDS: std::ops::RangeInclusive<u64> = 1..=4;
/// The load runs at least for this time around each fault.
pub const LOAD: Duration = Duration::from_secs(3);
/// The pause before a measurement. After it, connections are closed and pools are at rest.
pub const REST: Duration = Duration::from_secs(3);

/// What a soak has used of the machine.
#[derive(Clone, Debug, Serialize)]
pub struct Soak {
    /// How many minutes it was to last.
    pub minutes: u64,
    /// How many faults there were.
    pub faults: usize,
    /// The use before the first fault, but after a burst: the processes have taken by then what they never give back.
    pub start: Resources,
    /// The use after the last fault.
    pub end: Resources,
    /// What has grown beyond its margin, in words.
    pub growth: Vec<String>,
}

/// The fault that comes before the first measurement. It is the fault that uses most, if that is among the chosen
/// ones.
pub fn warm_up<'a>(faults: &[&'a Fault]) -> Option<&'a Fault> {
    faults.iter().find(|fault| fault.kind == Kind::Burst).or(faults.first()).copied()
}

/// The next fault, and how long it lasts.
pub fn next<'a>(faults: &[&'a Fault], random: &mut Rng) -> (&'a Fault, Duration) {
    (faults[random.usize(..faults.len())], Duration::from_secs(random.u64(LASTS_SECONDS)))
}
