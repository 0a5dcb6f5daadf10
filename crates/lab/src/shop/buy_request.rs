//! One request of a purchase, and what came of it.

use std::time::{Duration, Instant, SystemTime};

use super::client::answer::Answer;
use super::told::Told;

/// One request to buy, and what came of it.
#[derive(Clone, Debug)]
pub struct BuyRequest {
    /// What the buyer was told.
    pub told: Told,
    /// The HTTP status of the answer. If there was no answer: why, in a few words.
    pub status: Result<u16, String>,
    /// The replica that answered.
    pub served_by: String,
    /// Whether that was the answer to an earlier request with the same key.
    pub is_replay: bool,
    /// When the answer came, by a clock that never jumps.
    pub answered: Instant,
    /// When the answer came, by the clock that is compared with the database's clock.
    pub answered_at: SystemTime,
    /// From the request to the end of the answer.
    pub took: Duration,
}

impl BuyRequest {
    /// A request that was sent at `sent` and is over now, with its answer. If there was no answer: why, in a few words.
    pub fn over(sent: Instant, told: Told, answer: Result<&Answer, String>) -> Self {
        let answered = Instant::now();
        Self {
            told,
            served_by: answer.as_ref().map(|answer| answer.served_by.clone()).unwrap_or_default(),
            is_replay: answer.as_ref().is_ok_and(|answer| answer.is_replay),
            status: answer.map(|answer| answer.status),
            answered,
            answered_at: SystemTime::now(),
            took: answered - sent,
        }
    }

    /// What came back, in a few words: "503", "200 without an order", or why there was no answer.
    pub fn what_came_back(&self) -> String {
        match (&self.told, &self.status) {
            (Told::Wrong(what), Ok(200)) => what.clone(),
            (_, Ok(status)) => status.to_string(),
            (_, Err(silence)) => silence.clone(),
        }
    }
}
