//! Where a fault strikes, and what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::book::Sightings;
use super::distance::{Distance, ReadyTimes};
use super::goods::Item;
use super::leaving::Leaving;
use super::market::Market;
use super::pulse::Pulse;
use super::sessions_watch::SessionsWatch;
use crate::shop::client::Shop;
use crate::shop::database::ShopDatabase;

/// Where a fault strikes.
pub struct Scene<'a> {
    /// The buyers.
    pub market: &'a Arc<Market>,
    /// As a visitor sees it.
    pub shop: &'a Shop,
    /// The database behind it.
    pub database: &'a ShopDatabase,
    /// What is felt of the replicas.
    pub pulse: &'a Pulse,
    /// How far away the database is.
    pub distance: &'a Distance,
    /// Looks at the shop's sessions in it.
    pub watch: &'a SessionsWatch,
    /// The book in the shop's window, as each strategy sells it that can.
    pub book: Vec<Item>,
    /// For how long it is done, if that can be chosen.
    pub lasts: Duration,
    /// How many buyers are a crowd.
    pub burst: usize,
    /// How many buyers at a time are of those who leave; `None` when such buyers are here anyway.
    pub leavers: Option<usize>,
    /// How many connections all replicas together have at most.
    pub connections: usize,
    /// Which of the replicas it meets, if it meets one of them.
    pub victim: usize,
    /// Decides what else is left to chance.
    pub random: Rng,
}

impl Scene<'_> {
    /// What each strategy sells to buyers that the fault sends itself.
    pub(super) fn others(&self) -> Vec<Item> {
        self.market.shelves().iter().map(|shelf| shelf.other.clone()).collect()
    }
}

/// A fault that is over.
pub struct Struck {
    /// When it was taken back, or was over.
    pub ended: Instant,
    /// How long the replica was away that it killed.
    pub away: Option<Duration>,
    /// What was seen of the book, if it was the one that was bought.
    pub sightings: Option<Sightings>,
    /// How the buyers have left, if it sent any who leave.
    pub leaving: Option<Leaving>,
    /// What a visitor was told, and should not have been.
    pub wrong: BTreeMap<String, usize>,
    /// What was seen of the distance, if it took the database away.
    pub ready: Option<ReadyTimes>,
}

impl Struck {
    pub(super) fn now() -> Self {
        let (away, sightings, leaving, ready) = (None, None, None, None);
        Self { ended: Instant::now(), away, sightings, leaving, wrong: BTreeMap::new(), ready }
    }
}
