//! How the buyers of a check buy, one or many at once, and which answers are failures of the shop.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use crate::shop::buy_request::BuyRequest;
use crate::shop::client::Shop;
use crate::shop::purchase::Purchase;
use crate::shop::told::Told;

/// A buyer who was told to try again waits for this pause, and each buyer a little longer than the one before. So two
/// buyers who were turned away together don't meet again.
const PAUSE: Duration = Duration::from_millis(60);
const PAUSE_STEP: Duration = Duration::from_millis(23);
const PAUSE_STEPS: usize = 11;
/// The text of a failure says how long it took, if it took longer than this. A shorter time is of no interest.
const LATE: Duration = Duration::from_secs(2);

impl BuyRequest {
    /// The failure of the shop, if there was one: "503", or why there was no answer. Out of stock (400) is none, and
    /// neither is a conflict (409).
    pub fn failure(&self) -> Option<String> {
        let what = self.what_came_back();
        match (&self.told, &self.status) {
            (Told::Sold(_) | Told::OutOfStock | Told::Conflict, _) => None,
            (_, Err(_) | Ok(200)) => Some(what),
            (_, Ok(_)) => Some(failure_after(&what, self.took)),
        }
    }

    /// What the buyer was told, in a few words.
    pub fn in_words(&self) -> String {
        match &self.told {
            Told::Sold(_) => "sold".to_owned(),
            Told::OutOfStock => "\"Out of stock\"".to_owned(),
            Told::Conflict => "told to try again".to_owned(),
            _ => self.failure().unwrap_or_default(),
        }
    }
}

/// "503", or "503 after 8 s" for a slow answer: then the shop waited for something in vain.
pub fn failure_after(status: &str, took: Duration) -> String {
    if took < LATE { status.to_owned() } else { format!("{status} after {:.0} s", took.as_secs_f64()) }
}

/// Buys one copy by the exercise, with one request.
pub async fn buy_once(shop: &Shop, product: Uuid) -> Purchase {
    let mut purchase = Purchase::new(product, None, None);
    purchase.ask(shop).await;
    purchase
}

/// Lets `buyers` buy a copy at the same moment, each on a connection of their own: with two replicas, each replica gets
/// half of them. A buyer who is told to try again (409) does so for `patience`, because a fix may say honestly that a
/// purchase didn't get its turn. A buyer who is told "Out of stock" goes home. So does a buyer who meets a failure, 503
/// included: a failure counts against the shop anyway. If the caller stops waiting for the result, the buyers stop too.
pub async fn buy_at_once(shop: &Shop, product: Uuid, buyers: usize, patience: Duration) -> Vec<Purchase> {
    let deadline = Instant::now() + patience;
    let mut crowd = JoinSet::new();
    for buyer in 0..buyers {
        let shop = shop.clone();
        let pause = PAUSE + PAUSE_STEP * (buyer % PAUSE_STEPS) as u32;
        crowd.spawn(async move {
            let mut purchase = buy_once(&shop, product).await;
            while let Some(BuyRequest { told: Told::Conflict, .. }) = purchase.requests.last()
                && Instant::now() + pause < deadline
            {
                sleep(pause).await;
                purchase.ask(&shop).await;
            }
            purchase
        });
    }
    crowd.join_all().await
}
