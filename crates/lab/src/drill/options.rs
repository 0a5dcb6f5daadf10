//! How to drill.

use std::time::Duration;

use serde::Serialize;

const LEAVERS_OF_A_STRATEGY: usize = 2;
const FEWEST_LEAVERS: usize = 4;

/// What a drill was told; as JSON in its report.
#[derive(Clone, Debug, Serialize)]
pub struct DrillOptions {
    /// How the shop is told to sell, by one buyer so and by the next one so; "exercise" is what it does by itself.
    pub strategies: Vec<String>,
    /// The steady load.
    pub buyers: usize,
    /// How long it runs at least around each fault.
    pub seconds: u64,
    /// How long a fault is done that can last; `None` is as long as each does by itself.
    pub lasts_seconds: Option<u64>,
    /// How many buyers are a crowd.
    pub burst: usize,
    /// `RACE_WINDOW_MS` of the replicas meanwhile.
    pub window_ms: u16,
    /// The connections that one replica opens at most.
    pub pool_size: u32,
    /// Decides what is random.
    pub seed: u32,
    /// For how many minutes random faults follow one another; `None` is each once.
    pub soak_minutes: Option<u64>,
    /// Whether the database is far away all the time.
    pub far: bool,
    /// Whether there are buyers who leave during each fault.
    pub leaving: bool,
}

impl DrillOptions {
    /// `RACE_WINDOW_MS`.
    pub fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms.into())
    }

    /// How many buyers at a time are of those who leave: a few for each strategy. More would wait for one another, and
    /// nobody would leave at the end of a purchase any more.
    pub fn leavers(&self) -> usize {
        (self.strategies.len() * LEAVERS_OF_A_STRATEGY).max(FEWEST_LEAVERS)
    }
}
