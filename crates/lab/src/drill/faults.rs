//! How each fault is done, and taken back. Start with [`strike`].

mod buyers;
mod postgres;
mod replicas;
mod sessions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::book::Sightings;
use super::fault::{Fault, Kind};
use super::market::Market;
use super::pulse::Pulse;
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
    /// The product that half of the steady buyers want.
    pub plenty: Uuid,
    /// A product for buyers that the fault sends itself.
    pub other: Uuid,
    /// The book in the shop's window.
    pub book: Uuid,
    /// For how long it is done, if that can be chosen.
    pub lasts: Duration,
    /// How many buyers are a crowd.
    pub burst: usize,
    /// How many connections all replicas together have at most.
    pub connections: usize,
    /// Which of the replicas it meets, if it meets one of them.
    pub victim: usize,
}

/// A fault that is over.
pub struct Struck {
    /// When it was taken back, or was over.
    pub ended: Instant,
    /// How long the replica was away that it killed.
    pub away: Option<Duration>,
    /// What was seen of the book, if it was the one that was bought.
    pub sightings: Option<Sightings>,
}

impl Struck {
    fn now() -> Self {
        Self { ended: Instant::now(), away: None, sightings: None }
    }
}

/// Does it, and takes it back.
///
/// # Errors
/// When it can't be done.
pub async fn strike(fault: &Fault, scene: &Scene<'_>) -> anyhow::Result<Struck> {
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
    }
}
