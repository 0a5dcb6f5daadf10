//! What an answer to a purchase means to the buyer. The shop promises: after a 503 with `Retry-After`, the purchase was
//! not made, and never will be. When nobody knows the outcome of a purchase, the answer says so.

use std::error::Error;
use std::io;

use uuid::Uuid;

use super::client::answer::Answer;

/// What a buyer was told by one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// 200: the order is this one.
    Sold(Uuid),
    /// 400, Out of stock.
    OutOfStock,
    /// 409: others were faster, or the first request with this key is still worked on.
    Conflict,
    /// 503 with `Retry-After`, or 402 (the payment was declined): not carried out.
    NotCarriedOut,
    /// 503 that says that the outcome is unknown.
    OutcomeUnknown,
    /// The connection broke after the request was sent, or time was up. The text says which.
    NoAnswer(String),
    /// Nothing: the buyer closed the connection before the answer.
    Left,
    /// Any other answer, in words. The purchase may have been made or not.
    Wrong(String),
}

impl Told {
    /// Understands what came back.
    pub fn of(answer: &reqwest::Result<Answer>) -> Self {
        match answer {
            Ok(answer) => Self::of_answer(answer),
            Err(error) if error.is_connect() => Self::Wrong("no connection".to_owned()),
            Err(error) => Self::NoAnswer(root_cause(error)),
        }
    }

    /// As [`Told::of`], for a request that was sent on a connection of its own.
    pub fn of_sent(answer: &io::Result<Answer>) -> Self {
        match answer {
            Ok(answer) => Self::of_answer(answer),
            Err(error) => Self::NoAnswer(error.to_string()),
        }
    }

    /// Understands an answer.
    pub fn of_answer(answer: &Answer) -> Self {
        let order = || answer.body["id"].as_str()?.parse().ok();
        match answer.status {
            200 => order().map_or_else(|| Self::Wrong("200 without an order".to_owned()), Self::Sold),
            400 if answer.body["detail"] == "Out of stock" => Self::OutOfStock,
            409 => Self::Conflict,
            // This comes first: with a key, such an answer has a Retry-After too.
            503 if answer.body["outcome"] == "unknown" => Self::OutcomeUnknown,
            503 if answer.asks_to_retry => Self::NotCarriedOut,
            402 => Self::NotCarriedOut,
            503 => Self::Wrong("503 without Retry-After".to_owned()),
            status => Self::Wrong(status.to_string()),
        }
    }

    /// Whether the purchase may have been made all the same.
    pub fn leaves_open(&self) -> bool {
        matches!(self, Self::OutcomeUnknown | Self::NoAnswer(_) | Self::Left | Self::Wrong(_))
    }

    /// Whether the purchase was not made for now, and the buyer may ask again.
    pub fn may_ask_again(&self) -> bool {
        matches!(self, Self::Conflict | Self::NotCarriedOut)
    }

    /// Whether the outcome is certain, so that the buyer has nothing left to ask.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Sold(_) | Self::OutOfStock)
    }
}

/// What the system or the protocol said: reqwest itself says only that sending failed.
fn root_cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), root_cause)
}
