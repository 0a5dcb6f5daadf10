//! How each fault is done, and taken back. Start with [`strike`].

mod buyers;
mod leaving;
mod postgres;
mod replicas;
mod sessions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::book::Sightings;
use super::distance::{Distance, ReadyTimes};
use super::fault::{Fault, Kind};
use super::goods::Item;
use super::leaving::Leaving;
use super::market::Market;
use super::pulse::Pulse;
use super::sessions_watch::SessionsWatch;
use crate::check::shop::Shop;
use crate::check::shop_database::ShopDatabase;

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
    fn others(&self) -> Vec<Item> {
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
    fn now() -> Self {
        let (away, sightings, leaving, ready) = (None, None, None, None);
        Self { ended: Instant::now(), away, sightings, leaving, wrong: BTreeMap::new(), ready }
    }
}

/// Does it, and takes it back.
///
/// # Errors
/// When it can't be done.
pub async fn strike(fault: &Fault, scene: &mut Scene<'_>) -> anyhow::Result<Struck> {
    match fault.kind {
        Kind::KillReplica => replicas::kill(scene).await,
        Kind::FreezeReplica => replicas::freeze(scene).await,
        Kind::RollingRestart => replicas::restart_again_and_again(scene).await,
        Kind::PostgresImmediateRestart => postgres::restart_at_once().await,
        Kind::PostgresStopped => postgres::stop_for(scene.lasts).await,
        Kind::RowLockHeld => sessions::hold_row(scene).await,
        Kind::ConnectionsTerminated => sessions::terminate(scene).await,
        Kind::PoolExhausted => sessions::exhaust_pools(scene).await,
        Kind::ReadOnly => sessions::refuse_writes(scene).await,
        Kind::Burst => buyers::burst(scene).await,
        Kind::ResetDuringSale => buyers::reset_during_sale(scene).await,
        Kind::BuyersLeave => leaving::leave(scene).await,
        Kind::FarDatabase => leaving::leave_far_away(scene).await,
    }
}
