//! What a line's connections share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::hold::Holds;
use super::loss::Losses;
use super::turnstile::Turnstile;
use crate::recorder::{Recorder, RunningTape};

/// What a line's connections share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) delay_us: AtomicU64,
    /// How many exchanges are under way: PostgreSQL owes them an answer, or the line holds them.
    pub(super) in_flight: AtomicUsize,
    pub(super) holds: Holds,
    pub(super) losses: Losses,
    pub(super) turnstile: Turnstile,
    /// Where everything is recorded that passes, and the name of the replica. `None`: nothing is.
    pub(super) recording: Option<(Recorder, Arc<str>)>,
    has_said_unreadable: AtomicBool,
}

impl Shared {
    pub(super) fn recording(recorder: Recorder, replica: Arc<str>) -> Self {
        Self { recording: Some((recorder, replica)), ..Self::default() }
    }

    /// Whether a statement is to be held, so that its exchange must not be handed on before it is complete.
    pub(super) fn holds_statements(&self) -> bool {
        self.holds.is_armed() || self.turnstile.is_closed()
    }

    /// The delay in each direction.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_us.load(Ordering::Relaxed))
    }

    /// A tape for one connection.
    pub(super) fn run_tape(&self) -> Option<RunningTape> {
        let (recorder, replica) = self.recording.as_ref()?;
        Some(recorder.run_tape(Arc::clone(replica)))
    }

    /// Says once that something passes which can't be read.
    pub(super) fn say_unreadable(&self, reason: &str) {
        if !self.has_said_unreadable.swap(true, Ordering::Relaxed) {
            let of = self.recording.as_ref().map(|(_, replica)| format!(" of {replica}")).unwrap_or_default();
            log::warn!(
                "a connection{of} to PostgreSQL can't be read along, and is passed on as it is: {reason}"
            );
        }
    }
}
