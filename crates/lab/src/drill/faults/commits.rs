//! Answers to COMMIT that are lost on the way from PostgreSQL to a replica. The lab's wiretap loses them. It stops when
//! this program ends, however that happens.

use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::control::commit_loss::CommitLoss;
use crate::drill::scene::{Scene, Struck};

/// Of so many purchases that a replica commits, one loses its answer. Most of them keep it, because each loss costs the
/// replica a connection, and opening another one takes tens of milliseconds.
const ONE_IN: NonZeroUsize = NonZeroUsize::new(4).expect("it is not 0");
/// The fault goes on for so much longer at most, if not all kinds of buyers have met it.
const MEETS_ALL_WITHIN: Duration = Duration::from_secs(15);

pub(super) async fn lose_answers(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let loss = CommitLoss::begin(ONE_IN).await?;
    sleep(scene.lasts).await;
    // If the time is over first, the verdict says who has not met the fault.
    let _ = timeout(MEETS_ALL_WITHIN, scene.market.outcomes_unknown()).await;
    let answers_lost = Some(loss.end().await?);
    Ok(Struck { answers_lost, ..Struck::now() })
}
