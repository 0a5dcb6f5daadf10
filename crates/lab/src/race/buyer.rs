//! One buyer: asks, is told to try again, asks again, and goes home.

use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use crate::back_off::BackOff;
use crate::shop::client::{Answer, Shop};

/// How it ended for a buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// 200: the order is this one.
    Sold(Uuid),
    /// 400, Out of stock.
    OutOfStock,
    /// 409 or 503, and no patience left.
    GaveUp,
    /// No answer, or one that is the shop's own fault: which.
    Failed(String),
}

/// A buyer who has gone home.
#[derive(Clone, Debug)]
pub struct Buyer {
    /// How it ended.
    pub ending: Ending,
    /// When the last answer came.
    pub answered: SystemTime,
    /// From the first request to the last answer, with the pauses between them.
    pub took: Duration,
    /// How many times they asked.
    pub requests: usize,
    /// How many answers were 409.
    pub conflicts: usize,
    /// How many answers were 503 with `Retry-After`.
    pub busy: usize,
    /// The replica that gave the last answer.
    pub served_by: String,
}

/// What an answer means to a buyer.
enum Told {
    Final(Ending),
    Conflict,
    Busy,
}

impl Buyer {
    /// Asks until there is an answer that is final, or patience has run out. After a failure nobody asks
    /// again: it may have been a sale.
    pub async fn go_shopping(
        shop: &Shop,
        order: &Value,
        patience: Option<Duration>,
        mut back_off: BackOff,
    ) -> Self {
        let begun = Instant::now();
        let mut buyer = Self {
            ending: Ending::GaveUp,
            answered: SystemTime::now(),
            took: Duration::ZERO,
            requests: 0,
            conflicts: 0,
            busy: 0,
            served_by: String::new(),
        };
        loop {
            let answer = shop.order(order).await;
            buyer.answered = SystemTime::now();
            buyer.took = begun.elapsed();
            buyer.requests += 1;
            let told = match &answer {
                Ok(answer) => understand(answer),
                Err(error) => Told::Final(Ending::Failed(format!("no answer ({error})"))),
            };
            buyer.served_by = answer.map(|answer| answer.served_by).unwrap_or_default();
            match told {
                Told::Final(ending) => return Self { ending, ..buyer },
                Told::Conflict => buyer.conflicts += 1,
                Told::Busy => buyer.busy += 1,
            }
            let pause = back_off.next_pause();
            if patience.is_none_or(|patience| buyer.took + pause > patience) {
                return buyer;
            }
            sleep(pause).await;
        }
    }

    /// The order's id.
    pub fn order(&self) -> Option<Uuid> {
        if let Ending::Sold(id) = self.ending { Some(id) } else { None }
    }
}

fn understand(answer: &Answer) -> Told {
    let order = || answer.body["id"].as_str()?.parse().ok();
    match answer.status {
        200 => {
            let ending = order().map(Ending::Sold);
            Told::Final(ending.unwrap_or_else(|| Ending::Failed("200 without an order".to_owned())))
        }
        400 if answer.body["detail"] == "Out of stock" => Told::Final(Ending::OutOfStock),
        409 => Told::Conflict,
        503 if answer.asks_to_retry => Told::Busy,
        status => Told::Final(Ending::Failed(status.to_string())),
    }
}
