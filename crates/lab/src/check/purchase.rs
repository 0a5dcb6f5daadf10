//! Purchases of the lab's products, one or many at once, and what each buyer was told.

use std::fmt;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use crate::shop::client::{Answer, Shop, why_silent};
use crate::shop::told::Told;

/// A buyer who was told to try again waits for this pause, and each buyer a little longer than the one before. So two
/// buyers who were turned away together don't meet again.
const PAUSE: Duration = Duration::from_millis(60);
const PAUSE_STEP: Duration = Duration::from_millis(23);
const PAUSE_STEPS: usize = 11;
/// The text of a failure says how long it took, if it took longer than this. A shorter time is of no interest.
const LATE: Duration = Duration::from_secs(2);

/// What a buyer was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 200: the order is this one.
    Sold(Uuid),
    /// 400, Out of stock.
    OutOfStock,
    /// 409: others were faster, try again.
    TryAgain,
    /// No answer, or an answer that is the shop's own fault.
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sold(_) => formatter.write_str("sold"),
            Self::OutOfStock => formatter.write_str("\"Out of stock\""),
            Self::TryAgain => formatter.write_str("told to try again"),
            Self::Failed(reason) => formatter.write_str(reason),
        }
    }
}

/// One request, and its answer.
#[derive(Clone, Debug)]
pub struct BuyRequest {
    /// The product that was to be bought.
    pub product: Uuid,
    /// What the buyer was told.
    pub outcome: Outcome,
    /// The replica that answered.
    pub served_by: String,
    /// From the request to the answer.
    pub took: Duration,
}

impl BuyRequest {
    /// Sends the request, and waits for the answer.
    pub async fn make(shop: &Shop, product: Uuid) -> Self {
        let sent = Instant::now();
        match shop.buy(product).await {
            Ok(answer) => {
                let outcome = outcome_of(&answer);
                Self { product, outcome, served_by: answer.served_by, took: answer.took }
            }
            Err(error) => {
                let outcome = Outcome::Failed(why_silent(&error));
                Self { product, outcome, served_by: String::new(), took: sent.elapsed() }
            }
        }
    }

    /// The order's id.
    pub fn order(&self) -> Option<Uuid> {
        if let Outcome::Sold(id) = self.outcome { Some(id) } else { None }
    }

    /// The failure of the shop, if there was one: "503", or why there was no answer.
    pub fn failure(&self) -> Option<&str> {
        if let Outcome::Failed(reason) = &self.outcome { Some(reason) } else { None }
    }
}

fn outcome_of(answer: &Answer) -> Outcome {
    match Told::of_answer(answer) {
        Told::Sold(order) => Outcome::Sold(order),
        Told::OutOfStock => Outcome::OutOfStock,
        Told::Conflict => Outcome::TryAgain,
        Told::Wrong(what) if answer.status == 200 => Outcome::Failed(what),
        _ => Outcome::Failed(failure_after(&answer.status.to_string(), answer.took)),
    }
}

/// "503", or "503 after 8 s" for a slow answer: then the shop waited for something in vain.
pub fn failure_after(status: &str, took: Duration) -> String {
    if took < LATE { status.to_owned() } else { format!("{status} after {:.0} s", took.as_secs_f64()) }
}

/// Lets `buyers` buy a copy at the same moment, each on a connection of their own: with two replicas, each replica gets
/// half of them. A buyer who is told to try again (409) does so for `patience`, because a fix may say honestly that a
/// purchase didn't get its turn. A buyer who is told "Out of stock" goes home. So does a buyer who meets a failure, 503
/// included: a failure counts against the shop anyway. The result has an entry for each request. If the caller stops
/// waiting for the result, the buyers stop too.
pub async fn buy_at_once(shop: &Shop, product: Uuid, buyers: usize, patience: Duration) -> Vec<BuyRequest> {
    let deadline = Instant::now() + patience;
    let mut crowd = JoinSet::new();
    for buyer in 0..buyers {
        let shop = shop.clone();
        let pause = PAUSE + PAUSE_STEP * (buyer % PAUSE_STEPS) as u32;
        crowd.spawn(async move {
            let mut made = vec![BuyRequest::make(&shop, product).await];
            while let Some(BuyRequest { outcome: Outcome::TryAgain, .. }) = made.last()
                && Instant::now() + pause < deadline
            {
                sleep(pause).await;
                made.push(BuyRequest::make(&shop, product).await);
            }
            made
        });
    }
    crowd.join_all().await.into_iter().flatten().collect()
}
