//! A purchase that nobody disturbs. Its outcome decides whether crowds are played: a shop that doesn't sell even to a
//! single buyer can't show anything with crowds. Start with [`buy`].

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use super::purchase::{BuyRequest, Outcome};
use crate::shop::client::Shop;
use crate::shop::database::ShopDatabase;

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
    pub purchases: Vec<BuyRequest>,
    /// Whether the payment is slow: the frozen reference of the exercise, which waits for the same payment, took as
    /// long. It is asked only when the exercise was slow.
    pub payment_is_slow: bool,
}

impl Alone {
    /// How long the shortest sale took; `None` when there was none.
    pub fn sale(&self) -> Option<Duration> {
        let sold = self.purchases.iter().filter(|purchase| purchase.order().is_some());
        sold.map(|purchase| purchase.took).min()
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
        let failures: Option<Vec<&str>> = self.purchases.iter().map(BuyRequest::failure).collect();
        let failure = *failures?.last()?;
        Some(format!("a purchase without other buyers fails, too ({failure})"))
    }
}

/// Buys a product that nobody else knows of.
///
/// # Errors
/// When the shop's database fails.
pub async fn buy(shop: &Shop, database: &ShopDatabase) -> anyhow::Result<Alone> {
    let product = database.make_product("bought by one at a time", 3).await?;
    let first = purchase(shop, product).await;
    // The first purchase may have had to open a connection, or may have met the end of an earlier replica.
    let is_usual = first.failure().is_none() && first.took <= LONGEST_SALE;
    let is_worth_another = !is_usual && first.took < WORTH_ANOTHER;
    let mut alone = Alone { purchases: vec![first], payment_is_slow: false };
    if is_worth_another {
        alone.purchases.push(purchase(shop, product).await);
    }
    if alone.slow_sale().is_some() {
        let order = json!({ "product_id": product, "strategy": "unlocked" });
        let answer = timeout(PAYMENT_LIMIT, shop.order(&order)).await;
        let answer = answer.ok().and_then(Result::ok);
        alone.payment_is_slow =
            answer.is_some_and(|answer| answer.status == 200 && answer.took > LONGEST_SALE);
    }
    Ok(alone)
}

async fn purchase(shop: &Shop, product: Uuid) -> BuyRequest {
    let sent = Instant::now();
    match timeout(ANSWER_LIMIT, BuyRequest::make(shop, product)).await {
        Ok(purchase) => purchase,
        Err(_) => BuyRequest {
            product,
            outcome: Outcome::Failed(format!("no answer within {} s", ANSWER_LIMIT.as_secs())),
            served_by: String::new(),
            took: sent.elapsed(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(told: &[(Outcome, u64)]) -> Alone {
        let purchases = told.iter().map(|(outcome, milliseconds)| BuyRequest {
            product: Uuid::nil(),
            outcome: outcome.clone(),
            served_by: String::new(),
            took: Duration::from_millis(*milliseconds),
        });
        Alone { purchases: purchases.collect(), payment_is_slow: false }
    }

    fn sold() -> Outcome {
        Outcome::Sold(Uuid::nil())
    }

    fn failed() -> Outcome {
        Outcome::Failed("503".to_owned())
    }

    #[test]
    fn crowds_are_left_out_only_when_no_purchase_was_a_usual_one() {
        assert_eq!(alone(&[(sold(), 110)]).obstacle(), None);
        assert_eq!(alone(&[(failed(), 1), (sold(), 110)]).obstacle(), None);
        assert_eq!(alone(&[(sold(), 400), (sold(), 110)]).obstacle(), None);
        // A shop that turns everybody away is quick: the crowds say what is wrong with it.
        assert_eq!(alone(&[(Outcome::OutOfStock, 5)]).obstacle(), None);

        let slow = alone(&[(sold(), 400), (failed(), 1)]).obstacle();
        let failing = alone(&[(failed(), 1), (failed(), 1)]).obstacle();
        assert_eq!(slow.as_deref(), Some("a purchase without other buyers takes 400 ms"));
        assert_eq!(failing.as_deref(), Some("a purchase without other buyers fails, too (503)"));
    }
}
