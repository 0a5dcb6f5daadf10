//! The options of a race.

use serde::Serialize;

/// How a race is to be run.
#[derive(Clone, Debug, Serialize)]
pub struct RaceOptions {
    /// Copies in each round.
    pub stock: u32,
    /// How many buyers want a copy, in each round.
    pub buyers: usize,
    /// How many rounds for each strategy.
    pub rounds: usize,
    /// How many buyers are served at once. Each of them has a connection of their own.
    pub concurrency: usize,
    /// `RACE_WINDOW_MS` of the replicas during the race; `None` leaves them as they are.
    pub window_ms: Option<u16>,
    /// Whether buyers try again when they are told to.
    pub retry: bool,
    /// For how many seconds buyers try again.
    pub patience_seconds: u16,
    /// Decides the buyers' order and pauses.
    pub seed: u32,
}
