//! A crowd: buyers who are all released at once. Start with [`Crowd::buy`].

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use fastrand::Rng;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::buyer::go_shopping;
use super::options::RaceOptions;
use crate::back_off::BackOff;
use crate::shop::client::Shop;
use crate::shop::contestant::Contestant;
use crate::shop::purchase::Purchase;

/// How many connections are opened at once before the first round. More would only wait for one another.
const OPENED_AT_ONCE: usize = 32;

/// The connections that buyers come through. They are opened before the race and kept, because the race is about the
/// shop and not about the opening of connections. The gateway has handed them to the replicas in turn.
pub struct Crowd {
    lanes: Vec<Shop>,
    buyers: usize,
    patience: Option<Duration>,
}

/// One sale to the crowd.
#[derive(Clone, Debug)]
pub struct RaceRound {
    /// The product that was sold.
    pub product: Uuid,
    /// The purchases of all buyers of the round, one for each buyer.
    pub purchases: Vec<Purchase>,
}

impl Crowd {
    /// Opens the connections of the crowd.
    ///
    /// # Errors
    /// When the shop doesn't answer on one of the connections.
    pub async fn gather(shop: &Shop, options: &RaceOptions) -> anyhow::Result<Self> {
        let open = |_| async {
            let lane = shop.with_one_connection()?;
            lane.get("/health").await.map(|_| lane)
        };
        let count = options.at_once();
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
    ) -> anyhow::Result<RaceRound> {
        let queue: Vec<BackOff> = (0..self.buyers).map(|_| BackOff::new(random.fork())).collect();
        let queue = Arc::new(Mutex::new(queue));
        let mut lanes = self.lanes.clone();
        random.shuffle(&mut lanes);

        let gate = Arc::new(Barrier::new(lanes.len() + 1));
        let mut tasks = JoinSet::new();
        for shop in lanes {
            let (queue, gate) = (Arc::clone(&queue), Arc::clone(&gate));
            let (purchase, patience) = (Purchase::new(product, contestant.strategy(), None), self.patience);
            tasks.spawn(async move {
                gate.wait().await;
                let mut finished = Vec::new();
                let next = || queue.lock().pop();
                while let Some(back_off) = next() {
                    finished.push(go_shopping(&shop, purchase.clone(), patience, back_off).await);
                }
                finished
            });
        }
        gate.wait().await;

        let mut purchases = Vec::with_capacity(self.buyers);
        while let Some(finished) = tasks.join_next().await {
            purchases.extend(finished?);
        }
        Ok(RaceRound { product, purchases })
    }
}
