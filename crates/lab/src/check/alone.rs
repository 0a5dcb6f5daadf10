//! A purchase that nobody disturbs. Its outcome decides whether crowds are played: a shop that doesn't sell even to a
//! single buyer can't show anything with crowds. Start with [`buy`].

use std::time::{Duration, Instant};

use tokio::time::timeout;
use uuid::Uuid;

use super::purchase::buy_once;
use crate::shop::buy_request::BuyRequest;
use crate::shop::client::Shop;
use crate::shop::database::ShopDatabase;
use crate::shop::purchase::Purchase;
use crate::shop::told::Told;

/// The longest time that a sale may take. Ten such sales, one after the other, stay below the shop's `lock_timeout`. A
/// slower shop would refuse buyers because of that limit, and the check would call a right fix wrong.
const LONGEST_SALE: Duration = Duration::from_millis(250);
/// Longer than the shop's own limit for an answer, so that the shop's answer is seen.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// If the first purchase takes longer than this, a second one would only cost time.
const WORTH_ANOTHER: Duration = Duration::from_secs(3);
/// Longer than the longest payment that can be set.
const PAYMENT_LIMIT: Duration = Duration::from_secs(5);

/// The purchases of a buyer who was alone.
#[derive(Clone, Debug)]
pub struct Alone {
    /// One purchase, or two: a second one is made when the first failed or was slow.
    pub purchases: Vec<Purchase>,
    /// Whether the payment is slow: the frozen reference of the exercise, which waits for the same payment, took as
    /// long. It is asked only when the exercise was slow.
    pub payment_is_slow: bool,
}

impl Alone {
    /// The requests of these purchases, one for each.
    pub fn requests(&self) -> impl Iterator<Item = &BuyRequest> {
        self.purchases.iter().flat_map(|purchase| &purchase.requests)
    }

    /// How long the shortest sale took; `None` when there was none.
    pub fn sale(&self) -> Option<Duration> {
        let sold = self.purchases.iter().filter(|purchase| purchase.order().is_some());
        sold.map(Purchase::took).min()
    }

    /// How long a sale took, if that is too long for the rest of the check.
    pub fn slow_sale(&self) -> Option<Duration> {
        self.sale().filter(|took| *took > LONGEST_SALE)
    }

    /// Why crowds would show nothing, if that is so.
    pub fn obstacle(&self) -> Option<String> {
        if let Some(took) = self.slow_sale() {
            return Some(format!("a purchase without other buyers takes {} ms", took.as_millis()));
        }
        let failures: Option<Vec<String>> = self.requests().map(BuyRequest::failure).collect();
        let failure = failures?.pop()?;
        Some(format!("a purchase without other buyers fails, too ({failure})"))
    }
}

/// Buys a product that nobody else knows of.
///
/// # Errors
/// When the shop's database fails.
pub async fn buy(shop: &Shop, database: &ShopDatabase) -> anyhow::Result<Alone> {
    let product = database.make_product("bought by one at a time", 3).await?;
    let mut alone = Alone { purchases: vec![buy_alone(shop, product).await], payment_is_slow: false };
    if alone.requests().any(is_worth_another) {
        alone.purchases.push(buy_alone(shop, product).await);
    }
    if alone.slow_sale().is_some() {
        let mut by_reference = Purchase::new(product, Some("unlocked".to_owned()), None);
        // Without an answer in time, the payment is not known to be slow.
        let _ = timeout(PAYMENT_LIMIT, by_reference.ask(shop)).await;
        let is_slow_sale = |request: &BuyRequest| request.status == Ok(200) && request.took > LONGEST_SALE;
        alone.payment_is_slow = by_reference.requests.iter().any(is_slow_sale);
    }
    Ok(alone)
}

async fn buy_alone(shop: &Shop, product: Uuid) -> Purchase {
    let sent = Instant::now();
    timeout(ANSWER_LIMIT, buy_once(shop, product)).await.unwrap_or_else(|_| {
        let silence = format!("no answer within {} s", ANSWER_LIMIT.as_secs());
        let request = BuyRequest::over(sent, Told::NoAnswer(silence.clone()), Err(silence));
        Purchase { requests: vec![request], ..Purchase::new(product, None, None) }
    })
}

/// The first purchase may have had to open a connection, or may have met the end of an earlier replica.
fn is_worth_another(first: &BuyRequest) -> bool {
    let is_usual = first.failure().is_none() && first.took <= LONGEST_SALE;
    !is_usual && first.took < WORTH_ANOTHER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(told: &[(Told, u64)]) -> Alone {
        let purchase = |(told, milliseconds): &(Told, u64)| {
            let took = Duration::from_millis(*milliseconds);
            let over = BuyRequest::over(Instant::now(), told.clone(), Err(String::new()));
            let requests = vec![BuyRequest { status: Ok(503), took, ..over }];
            Purchase { requests, ..Purchase::new(Uuid::nil(), None, None) }
        };
        Alone { purchases: told.iter().map(purchase).collect(), payment_is_slow: false }
    }

    fn sold() -> Told {
        Told::Sold(Uuid::nil())
    }

    fn failed() -> Told {
        Told::NotCarriedOut
    }

    #[test]
    fn crowds_are_left_out_only_when_no_purchase_was_a_usual_one() {
        assert_eq!(alone(&[(sold(), 110)]).obstacle(), None);
        assert_eq!(alone(&[(failed(), 1), (sold(), 110)]).obstacle(), None);
        assert_eq!(alone(&[(sold(), 400), (sold(), 110)]).obstacle(), None);
        // A shop that turns everybody away is quick: the crowds say what is wrong with it.
        assert_eq!(alone(&[(Told::OutOfStock, 5)]).obstacle(), None);

        let slow = alone(&[(sold(), 400), (failed(), 1)]).obstacle();
        let failing = alone(&[(failed(), 1), (failed(), 1)]).obstacle();
        assert_eq!(slow.as_deref(), Some("a purchase without other buyers takes 400 ms"));
        assert_eq!(failing.as_deref(), Some("a purchase without other buyers fails, too (503)"));
    }
}
