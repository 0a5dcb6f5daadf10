//! What a race is asked to be.

use serde::Serialize;

/// How to race.
#[derive(Clone, Debug, Serialize)]
pub struct RaceOptions {
    /// Copies in each round.
    pub stock: u32,
    /// Who want one of them, in each round.
    pub buyers: usize,
    /// How many rounds for each strategy.
    pub rounds: usize,
    /// How many buyers are served at once. Each of them has a connection of their own.
    pub concurrency: usize,
    /// `RACE_WINDOW_MS` of the replicas meanwhile; `None` leaves them as they are.
    pub window_ms: Option<u16>,
    /// Whether buyers try again who are told to.
    pub retry: bool,
    /// For how many seconds they do.
    pub patience_seconds: u16,
    /// Decides the buyers' order and pauses.
    pub seed: u32,
}
