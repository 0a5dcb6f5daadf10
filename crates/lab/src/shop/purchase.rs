//! A purchase: one copy for one buyer, with all the requests that it took. How long a buyer goes on asking is decided by
//! the check, the race and the drill, each for its own buyers.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use super::buy_request::BuyRequest;
use super::client::Shop;
use super::client::http::why_silent;
use super::told::Told;

/// What a buyer asks for, and each request so far with what came of it.
#[derive(Clone, Debug)]
pub struct Purchase {
    /// What is to be bought.
    pub product: Uuid,
    /// The strategy that the request names. Without a name, the exercise sells.
    pub strategy: Option<String>,
    /// Its `Idempotency-Key`, if it has one.
    pub key: Option<String>,
    /// Each request, with what came of it.
    pub requests: Vec<BuyRequest>,
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
    pub fn new(product: Uuid, strategy: Option<String>, key: Option<String>) -> Self {
        Self { product, strategy, key, requests: Vec::with_capacity(1) }
    }

    /// The body of each request, for `POST /api/orders`.
    pub fn body(&self) -> Value {
        match &self.strategy {
            None => json!({ "product_id": self.product }),
            Some(strategy) => json!({ "product_id": self.product, "strategy": strategy }),
        }
    }

    /// Sends one request, waits for its answer, and notes both. If the caller stops waiting, nothing is noted.
    pub async fn ask(&mut self, shop: &Shop) {
        let sent = Instant::now();
        let answer = shop.order(&self.body(), self.key.as_deref()).await;
        let told = Told::of(&answer);
        self.requests.push(BuyRequest::over(sent, told, answer.as_ref().map_err(why_silent)));
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

    /// Whether the outcome was unknown, and the key has settled it.
    pub fn is_settled(&self) -> bool {
        self.ending() != PurchaseEnding::Unknown
            && self.requests.iter().any(|request| request.told.leaves_open())
    }

    /// The time from the first request to the last answer, with the pauses between requests.
    pub fn took(&self) -> Duration {
        let ends = self.requests.first().zip(self.requests.last());
        ends.map(|(first, last)| last.answered - first.answered + first.took).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purchase(told: &[Told]) -> Purchase {
        let request = |told: &Told| BuyRequest::over(Instant::now(), told.clone(), Err(String::new()));
        Purchase { requests: told.iter().map(request).collect(), ..Purchase::new(Uuid::nil(), None, None) }
    }

    fn ending(told: &[Told]) -> (PurchaseEnding, bool) {
        let purchase = purchase(told);
        (purchase.ending(), purchase.is_settled())
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
    fn a_purchase_takes_from_its_first_request_to_its_last_answer() {
        let second = Duration::from_secs(1);
        let mut purchase = purchase(&[Told::Conflict, Told::OutOfStock]);
        purchase.requests[0].took = 2 * second;
        purchase.requests[1].answered = purchase.requests[0].answered + 5 * second;

        assert_eq!(purchase.took(), 7 * second);
        assert_eq!(Purchase::new(Uuid::nil(), None, None).took(), Duration::ZERO);
    }
}
