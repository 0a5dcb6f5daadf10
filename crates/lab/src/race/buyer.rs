//! One buyer: asks, is told to try again, asks again, and goes home.

use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use crate::back_off::BackOff;
use crate::shop::client::Shop;
use crate::shop::told::Told;

/// How a purchase ended for a buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuyerEnding {
    /// 200: this is the order.
    Sold(Uuid),
    /// 400, Out of stock.
    OutOfStock,
    /// 409 or 503, and the buyer had no patience left.
    GaveUp,
    /// No answer, or an answer that is the shop's own fault. The text says which.
    Failed(String),
}

/// A buyer who has gone home.
#[derive(Clone, Debug)]
pub struct Buyer {
    /// How the purchase ended.
    pub ending: BuyerEnding,
    /// When the last answer came.
    pub answered: SystemTime,
    /// The time from the first request to the last answer, with the pauses between requests.
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

impl Buyer {
    /// Asks until an answer is final, or until patience has run out. After a failure the buyer doesn't ask again,
    /// because the failed request may have been a sale.
    pub async fn go_shopping(
        shop: &Shop,
        order: &Value,
        patience: Option<Duration>,
        mut back_off: BackOff,
    ) -> Self {
        let begun = Instant::now();
        let mut buyer = Self {
            ending: BuyerEnding::GaveUp,
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
            buyer.served_by.clear();
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => return buyer.goes_home(BuyerEnding::Failed(format!("no answer ({error})"))),
            };
            buyer.served_by.clone_from(&answer.served_by);
            match Told::of_answer(&answer) {
                Told::Sold(order) => return buyer.goes_home(BuyerEnding::Sold(order)),
                Told::OutOfStock => return buyer.goes_home(BuyerEnding::OutOfStock),
                Told::Conflict => buyer.conflicts += 1,
                Told::NotCarriedOut => buyer.busy += 1,
                Told::Wrong(what) if answer.status == 200 => {
                    return buyer.goes_home(BuyerEnding::Failed(what));
                }
                _ => return buyer.goes_home(BuyerEnding::Failed(answer.status.to_string())),
            }
            let pause = back_off.next_pause();
            if patience.is_none_or(|patience| buyer.took + pause > patience) {
                return buyer;
            }
            sleep(pause).await;
        }
    }

    fn goes_home(self, ending: BuyerEnding) -> Self {
        Self { ending, ..self }
    }

    /// The order's id.
    pub fn order(&self) -> Option<Uuid> {
        if let BuyerEnding::Sold(id) = self.ending { Some(id) } else { None }
    }
}
