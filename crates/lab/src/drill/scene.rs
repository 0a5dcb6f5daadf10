//! The place where a fault strikes, and the outcome of the fault.

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

/// The place where a fault strikes.
pub struct Scene<'a> {
    /// The buyers.
    pub market: &'a Arc<Market>,
    /// The shop, as a visitor sees it.
    pub shop: &'a Shop,
    /// The shop's database.
    pub database: &'a ShopDatabase,
    /// Asks the replicas for `/health`.
    pub pulse: &'a Pulse,
    /// How far away the database is.
    pub distance: &'a Distance,
    /// Looks at the shop's sessions in the database.
    pub watch: &'a SessionsWatch,
    /// The book in the shop's window, one item for each strategy that can sell it.
    pub book: Vec<Item>,
    /// How long the fault lasts, if that can be chosen.
    pub lasts: Duration,
    /// The number of buyers in a crowd.
    pub burst: usize,
    /// How many buyers at a time are buyers who leave; `None` when such buyers are here anyway.
    pub leavers: Option<usize>,
    /// The largest number of connections that all replicas have together.
    pub connections: usize,
    /// The number of the replica that the fault strikes, if it strikes one replica.
    pub victim: usize,
    /// Decides everything else that is left to chance.
    pub random: Rng,
}

impl Scene<'_> {
    /// What each strategy sells to the buyers that the fault sends by itself.
    pub(super) fn others(&self) -> Vec<Item> {
        self.market.shelves().iter().map(|shelf| shelf.other.clone()).collect()
    }
}

/// A fault that is over.
pub struct Struck {
    /// When the fault was over, or was taken back.
    pub ended: Instant,
    /// How long the replica was away that the fault killed.
    pub away: Option<Duration>,
    /// What was seen of the shop's book, if the fault was about that book.
    pub sightings: Option<Sightings>,
    /// How the buyers left, if the fault sent buyers who leave.
    pub leaving: Option<Leaving>,
    /// What a visitor was told but should not have been told, and how many times.
    pub wrong: BTreeMap<String, usize>,
    /// How long `/ready` took, if the fault moved the database far away.
    pub ready: Option<ReadyTimes>,
    /// How many answers to COMMIT were lost, if the fault lost any.
    pub answers_lost: Option<usize>,
}

impl Struck {
    pub(super) fn now() -> Self {
        Self {
            ended: Instant::now(),
            away: None,
            sightings: None,
            leaving: None,
            wrong: BTreeMap::new(),
            ready: None,
            answers_lost: None,
        }
    }
}
