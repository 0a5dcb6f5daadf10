//! What the line's connections share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::hold::Holds;

/// What the line's connections share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) delay_us: AtomicU64,
    /// How many exchanges are under way: PostgreSQL owes them an answer, or the line holds them.
    pub(super) in_flight: AtomicUsize,
    pub(super) holds: Holds,
}

impl Shared {
    /// The delay in each direction.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_us.load(Ordering::Relaxed))
    }
}
