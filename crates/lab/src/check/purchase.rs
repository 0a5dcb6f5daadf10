//! Purchases of the lab's products, one or many at once, and what each buyer was told.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::time::sleep;
use uuid::Uuid;

use super::shop::{Answer, Shop};

/// A buyer who was told to try again does so after a pause of this length, and a little longer than the buyer
/// before: two who were turned away together don't meet again.
const PAUSE: Duration = Duration::from_millis(60);
const PAUSE_STEP: Duration = Duration::from_millis(23);
const PAUSE_STEPS: usize = 11;

/// What a buyer was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 200: the order is this one.
    Sold(Uuid),
    /// 400, Out of stock.
    OutOfStock,
    /// 409: others were faster, try again.
    TryAgain,
    /// No answer, or one that is the shop's own fault.
    Failed(String),
}

/// One request, and its answer.
#[derive(Clone, Debug)]
pub struct Purchase {
    /// What was to be bought.
    pub product: Uuid,
    /// What the buyer was told.
    pub outcome: Outcome,
    /// The replica that answered.
    pub served_by: String,
    /// From the request to the answer.
    pub took: Duration,
}

impl Purchase {
    /// Sends it, and waits for the answer.
    pub async fn make(shop: &Shop, product: Uuid) -> Self {
        let sent = Instant::now();
        match shop.buy(product).await {
            Ok(answer) => {
                let outcome = outcome_of(&answer);
                Self { product, outcome, served_by: answer.served_by, took: answer.took }
            }
            Err(error) => {
                let outcome = Outcome::Failed(format!("no answer ({error})"));
                Self { product, outcome, served_by: String::new(), took: sent.elapsed() }
            }
        }
    }

    /// The order's id.
    pub fn order(&self) -> Option<Uuid> {
        if let Outcome::Sold(id) = self.outcome { Some(id) } else { None }
    }

    /// What the shop was at fault with: "503", or why there was no answer.
    pub fn failure(&self) -> Option<&str> {
        if let Outcome::Failed(reason) = &self.outcome { Some(reason) } else { None }
    }
}

fn outcome_of(answer: &Answer) -> Outcome {
    let id = || answer.body["id"].as_str()?.parse().ok();
    match answer.status {
        200 => id().map_or_else(|| Outcome::Failed("200 without an order".to_owned()), Outcome::Sold),
        400 if answer.body["detail"] == "Out of stock" => Outcome::OutOfStock,
        409 => Outcome::TryAgain,
        status => Outcome::Failed(status.to_string()),
    }
}

/// `buyers` who all want one copy at the same moment, each on a connection of their own: with two replicas,
/// half of them get to each. Who is told to try again (409) does, for `patience`: a fix may be honest about that
/// it didn't get its turn. Who is told "Out of stock" goes home, and so does who meets a failure, 503 included:
/// that is counted against the shop anyway. Each request is a purchase of its own in what is returned.
pub async fn buy_at_once(shop: &Shop, product: Uuid, buyers: usize, patience: Duration) -> Vec<Purchase> {
    let deadline = Instant::now() + patience;
    let crowd = (0..buyers).map(|buyer| {
        let shop = shop.clone();
        let pause = PAUSE + PAUSE_STEP * (buyer % PAUSE_STEPS) as u32;
        tokio::spawn(async move {
            let mut made = vec![Purchase::make(&shop, product).await];
            while let Some(Purchase { outcome: Outcome::TryAgain, .. }) = made.last()
                && Instant::now() + pause < deadline
            {
                sleep(pause).await;
                made.push(Purchase::make(&shop, product).await);
            }
            made
        })
    });
    let made = join_all(crowd).await;
    made.into_iter().flat_map(|buyer| buyer.expect("a buyer's task doesn't panic")).collect()
}
