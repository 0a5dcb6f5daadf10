//! Does each fault, and takes it back. Start with [`strike`].

mod buyers;
mod commits;
mod leaving;
mod postgres;
mod replicas;
mod sessions;

use super::fault::{Fault, Kind};
use super::scene::{Scene, Struck};

/// Does the fault, and takes it back.
///
/// # Errors
/// When the fault can't be done.
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
        Kind::LostCommitAnswer => commits::lose_answers(scene).await,
    }
}
