//! The options of a drill.

use std::time::Duration;

use serde::Serialize;

const LEAVERS_OF_A_STRATEGY: usize = 2;
const FEWEST_LEAVERS: usize = 4;

/// What a drill was told to do. Its report has these options as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct DrillOptions {
    /// How the shop is told to sell: the buyers use these strategies in turn. "exercise" is what the shop does by
    /// itself.
    pub strategies: Vec<String>,
    /// The number of steady buyers.
    pub buyers: usize,
    /// The load runs for at least this many seconds around each fault.
    pub seconds: u64,
    /// How many seconds each fault lasts that can last. `None` means the time that each fault has by itself.
    pub lasts_seconds: Option<u64>,
    /// The number of buyers in a crowd.
    pub burst: usize,
    /// `RACE_WINDOW_MS` of the replicas during the drill.
    pub window_ms: u16,
    /// The largest number of connections that one replica opens.
    pub pool_size: u32,
    /// The seed of everything that is random.
    pub seed: u32,
    /// For how many minutes random faults follow one another. `None` means that each fault is drilled once.
    pub soak_minutes: Option<u64>,
    /// Whether the database is far away all the time.
    pub far: bool,
    /// Whether some buyers leave during each fault.
    pub leaving: bool,
}

impl DrillOptions {
    /// `RACE_WINDOW_MS`.
    pub fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms.into())
    }

    /// How many buyers at a time are buyers who leave: a few for each strategy. More of them would wait for one
    /// another, and then nobody would leave at the end of a purchase.
    pub fn leavers(&self) -> usize {
        (self.strategies.len() * LEAVERS_OF_A_STRATEGY).max(FEWEST_LEAVERS)
    }
}
