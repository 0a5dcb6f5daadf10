//! A purchase: one copy for one buyer, with all the requests that it took.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use crate::back_off::BackOff;
use crate::shop::client::Shop;
use crate::shop::told::{Asked, Told};

/// How long a buyer with a key goes on asking.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A purchase that its buyer has finished.
#[derive(Clone, Debug)]
pub struct Purchase {
    /// What was to be bought.
    pub product: Uuid,
    /// Its `Idempotency-Key`, if it had one.
    pub key: Option<String>,
    /// Each request with its answer.
    pub requests: Vec<Asked>,
}

/// What a buyer knows at the end of a purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PurchaseEnding {
    /// The purchase was made: this is the order.
    Sold(Uuid),
    /// The purchase was refused, because there was no copy left.
    OutOfStock,
    /// The purchase was not made, and never will be.
    NotCarriedOut,
    /// The buyer doesn't know the outcome: nobody has told them.
    Unknown,
}

impl Purchase {
    /// A purchase of `product`, before its first request.
    pub fn new(product: Uuid, key: Option<String>) -> Self {
        Self { product, key, requests: Vec::with_capacity(1) }
    }

    /// Asks for a copy with the body `order`. Without a key it asks only once, because a second request might buy a
    /// second copy. With a key it asks again after a pause of `back_off`, as long as there is no final answer and
    /// some patience is left. `back_off` is `None` for a buyer who has no patience.
    pub async fn ask(&mut self, shop: &Shop, order: &Value, mut back_off: Option<BackOff>) {
        let begun = Instant::now();
        loop {
            let asked = Instant::now();
            let answer = shop.order_once(order, self.key.as_deref()).await;
            let told = Told::of(&answer);
            let is_done = self.key.is_none() || told.is_final();
            let is_replay = answer.is_ok_and(|answer| answer.is_replay);
            self.requests.push(Asked::over(asked, told, is_replay));
            match back_off.as_mut().map(BackOff::next_pause) {
                Some(pause) if !is_done && begun.elapsed() + pause < PATIENCE => sleep(pause).await,
                _ => return,
            }
        }
    }

    /// What the buyer knows at the end.
    pub fn ending(&self) -> PurchaseEnding {
        match self.requests.last().map(|request| &request.told) {
            Some(Told::Sold(order)) => PurchaseEnding::Sold(*order),
            Some(Told::OutOfStock) => PurchaseEnding::OutOfStock,
            // Each answer speaks of its own request: "not carried out" says nothing of an earlier request.
            _ if self.requests.iter().any(|request| request.told.leaves_open()) => PurchaseEnding::Unknown,
            _ => PurchaseEnding::NotCarriedOut,
        }
    }

    /// The order's id, if the buyer knows it.
    pub fn order(&self) -> Option<Uuid> {
        if let PurchaseEnding::Sold(order) = self.ending() { Some(order) } else { None }
    }

    /// Whether its buyer closed the connection before the answer.
    pub fn was_left(&self) -> bool {
        self.requests.iter().any(|request| request.told == Told::Left)
    }

    /// Whether the purchase of a buyer who left had been made by the time they came back. `None` when the buyer
    /// didn't leave, or has not learned it from the key.
    pub fn was_made_for_who_left(&self) -> Option<bool> {
        let last = self.requests.last()?;
        (self.was_left() && last.told.is_final()).then_some(last.is_replay)
    }

    /// Whether the outcome was unknown, and the key has settled it.
    pub fn is_settled(&self) -> bool {
        self.ending() != PurchaseEnding::Unknown
            && self.requests.iter().any(|request| request.told.leaves_open())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(told: &[Told]) -> (PurchaseEnding, bool) {
        let purchase = purchase(told, false);
        (purchase.ending(), purchase.is_settled())
    }

    fn purchase(told: &[Told], is_replay: bool) -> Purchase {
        let request = |told: &Told| Asked::over(Instant::now(), told.clone(), is_replay);
        let requests = told.iter().map(request).collect();
        Purchase { product: Uuid::nil(), key: None, requests }
    }

    #[test]
    fn the_last_word_counts_and_only_a_final_one_settles_what_was_open() {
        let order = Uuid::nil();
        let no_answer = || Told::NoAnswer("connection closed".to_owned());
        use Told::{Conflict, Left, NotCarriedOut, OutOfStock, OutcomeUnknown, Sold, Wrong};

        assert_eq!(ending(&[Sold(order)]), (PurchaseEnding::Sold(order), false));
        assert_eq!(ending(&[OutcomeUnknown, Conflict, Sold(order)]), (PurchaseEnding::Sold(order), true));
        assert_eq!(ending(&[no_answer(), OutOfStock]), (PurchaseEnding::OutOfStock, true));
        assert_eq!(ending(&[Conflict, NotCarriedOut]), (PurchaseEnding::NotCarriedOut, false));
        assert_eq!(ending(&[no_answer(), NotCarriedOut]), (PurchaseEnding::Unknown, false));
        assert_eq!(ending(&[Wrong("502".to_owned())]), (PurchaseEnding::Unknown, false));
        assert_eq!(ending(&[Left]), (PurchaseEnding::Unknown, false));
        assert_eq!(ending(&[Left, Conflict, Sold(order)]), (PurchaseEnding::Sold(order), true));
    }

    #[test]
    fn who_left_learns_by_the_key_whether_it_was_made_by_then() {
        let (left, sold) = (Told::Left, Told::Sold(Uuid::nil()));
        let lesson = |told: &[Told], is_replay| purchase(told, is_replay).was_made_for_who_left();

        assert_eq!(lesson(&[left.clone(), sold.clone()], true), Some(true));
        assert_eq!(lesson(&[left.clone(), sold.clone()], false), Some(false));
        assert_eq!(lesson(&[left.clone(), Told::Conflict], false), None);
        assert_eq!(lesson(&[left], false), None);
        assert_eq!(lesson(&[sold], true), None);
    }
}
