//! What can befall a purchase: its client leaves, its connection to PostgreSQL breaks, or an answer of PostgreSQL is lost.

use serde::{Deserialize, Serialize};

/// What befalls the first actor, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What it is.
    pub kind: TroubleKind,
    /// At which of the actor's own steps, from 0.
    pub step: usize,
}

/// What befalls an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// Its client closes the connection before the statement goes on.
    ClientLeaves,
    /// The connection to PostgreSQL breaks, and PostgreSQL never gets the statement.
    ConnectionBreaks,
    /// PostgreSQL carries the statement out, and the connection breaks before the answer arrives.
    AnswerIsLost,
}

impl TroubleKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ClientLeaves, Self::ConnectionBreaks, Self::AnswerIsLost];
}
