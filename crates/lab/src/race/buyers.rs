//! A crowd: buyers who are all released at once, and what became of each. Start with [`Crowd::buy`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use fastrand::Rng;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use super::Options;
use super::back_off::BackOff;
use super::contestant::Contestant;
use crate::check::shop::{Answer, Shop};

/// Connections that are opened at once before the first round. More would only wait for one another.
const OPENED_AT_ONCE: usize = 32;

/// Connections that buyers come through. They are opened before the race and kept: what is raced is the shop,
/// not the opening of connections. The gateway has handed them to the replicas in turn.
pub struct Crowd {
    lanes: Vec<Shop>,
    buyers: usize,
    patience: Option<Duration>,
}

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

/// A sale to the crowd.
#[derive(Clone, Debug)]
pub struct Round {
    /// What was sold.
    pub product: Uuid,
    /// When all were let go.
    pub released: SystemTime,
    /// Each of them.
    pub buyers: Vec<Buyer>,
}

/// What an answer means to a buyer.
enum Told {
    Final(Ending),
    Conflict,
    Busy,
}

impl Crowd {
    /// Opens the connections.
    ///
    /// # Errors
    /// When the shop doesn't answer on one of them.
    pub async fn gather(shop: &Shop, options: &Options) -> anyhow::Result<Self> {
        let open = |_| async {
            let lane = shop.with_one_connection()?;
            lane.get("/health").await.map(|_| lane)
        };
        let count = options.concurrency.min(options.buyers);
        let lanes = stream::iter(0..count).map(open).buffered(OPENED_AT_ONCE).try_collect().await;
        let lanes = lanes.with_context(|| format!("can't open {count} connections to the shop"))?;
        let patience = options.retry.then(|| options.patience());
        Ok(Self { lanes, buyers: options.buyers, patience })
    }

    /// Lets all buyers go at once, and waits until the last has gone home. `random` decides their order and
    /// their pauses.
    ///
    /// # Errors
    /// When a buyer's task panics.
    pub async fn buy(
        &self,
        product: Uuid,
        contestant: &Contestant,
        random: &mut Rng,
    ) -> anyhow::Result<Round> {
        let queue: Vec<BackOff> = (0..self.buyers).map(|_| BackOff::new(random.fork())).collect();
        let queue = Arc::new(Mutex::new(queue));
        let mut lanes = self.lanes.clone();
        random.shuffle(&mut lanes);

        let gate = Arc::new(Barrier::new(lanes.len() + 1));
        let mut tasks = JoinSet::new();
        for shop in lanes {
            let (queue, gate) = (Arc::clone(&queue), Arc::clone(&gate));
            let (body, patience) = (contestant.order(product), self.patience);
            tasks.spawn(async move {
                gate.wait().await;
                let mut served = Vec::new();
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
                while let Some(back_off) = next() {
                    served.push(go_shopping(&shop, &body, patience, back_off).await);
                }
                served
            });
        }
        gate.wait().await;
        let released = SystemTime::now();

        let mut buyers = Vec::with_capacity(self.buyers);
        while let Some(served) = tasks.join_next().await {
            buyers.extend(served?);
        }
        Ok(Round { product, released, buyers })
    }
}

/// Asks until there is an answer that is final, or patience has run out. After a failure nobody asks again: it
/// may have been a sale.
async fn go_shopping(shop: &Shop, order: &Value, patience: Option<Duration>, mut back_off: BackOff) -> Buyer {
    let begun = Instant::now();
    let (mut requests, mut conflicts, mut busy) = (0, 0, 0);
    loop {
        let answer = shop.order(order).await;
        let (answered, took) = (SystemTime::now(), begun.elapsed());
        requests += 1;
        let (told, served_by) = match answer {
            Ok(answer) => (understand(&answer), answer.served_by),
            Err(error) => (Told::Final(Ending::Failed(format!("no answer ({error})"))), String::new()),
        };
        let buyer =
            |ending, conflicts, busy| Buyer { ending, answered, took, requests, conflicts, busy, served_by };
        match told {
            Told::Final(ending) => return buyer(ending, conflicts, busy),
            Told::Conflict => conflicts += 1,
            Told::Busy => busy += 1,
        }
        let pause = back_off.next_pause();
        if patience.is_none_or(|patience| took + pause > patience) {
            return buyer(Ending::GaveUp, conflicts, busy);
        }
        sleep(pause).await;
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
