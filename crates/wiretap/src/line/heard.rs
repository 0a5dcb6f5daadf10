//! What a connection remembers of PostgreSQL's answers, and what it is to do with their bytes.

use super::hold::Gate;
use super::loss::CommitWatch;
use crate::protocol::answers::Answers;

/// What is remembered of PostgreSQL's messages from one read to the next.
#[derive(Default)]
pub(super) struct Hearing {
    pub answers: Answers,
    pub commits: CommitWatch,
    /// Of the error in the exchange that is being answered.
    pub sqlstate: Option<String>,
}

/// What is to be done with the bytes that PostgreSQL has sent.
#[derive(Default)]
pub(super) struct Heard {
    /// The gates of the answers that end in these bytes.
    pub gates: Vec<(Gate, String)>,
    /// The client is not to get these bytes, nor any others.
    pub are_lost: bool,
}
