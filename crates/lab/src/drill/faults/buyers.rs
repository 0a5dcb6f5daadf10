//! Faults that buyers and visitors make by themselves.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::drill::book::Sightings;
use crate::drill::scene::{Scene, Struck};
use crate::shop::client::answer::Answer;

/// How many buyers at a time want the book while it is reset.
const BUYERS_OF_THE_BOOK: usize = 8;
/// The pause between two resets. Some resets meet a purchase in the middle, others don't.
const BETWEEN_RESETS: Duration = Duration::from_millis(15);

pub(super) async fn burst(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    scene.market.send_crowd(&scene.others(), scene.burst).await;
    Ok(Struck::now())
}

pub(super) async fn reset_during_sale(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    scene.shop.reset().await?;
    let mut sightings = Sightings::default();
    // The strategies take turns: not all of them may sell the same product at the same time.
    let lasts = scene.lasts / scene.book.len() as u32;
    for book in &scene.book {
        let enough = CancellationToken::new();
        let buying = scene.market.send_regulars(std::slice::from_ref(book), BUYERS_OF_THE_BOOK, &enough);
        let resetting = async {
            let reset = reset_again_and_again(scene, book.product, lasts, &mut sightings).await;
            enough.cancel();
            reset
        };
        let (reset, ()) = tokio::join!(resetting, buying);
        reset?;
    }
    Ok(Struck { sightings: Some(sightings), ..Struck::now() })
}

async fn reset_again_and_again(
    scene: &Scene<'_>,
    book: Uuid,
    lasts: Duration,
    sightings: &mut Sightings,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < lasts {
        match scene.shop.post("/api/reset").await {
            Ok(Answer { status: 200, body, .. }) => {
                sightings.deleted += body["deleted_orders"].as_u64().unwrap_or_default() as usize;
            }
            // With this answer, nothing was reset.
            Ok(Answer { status: 503, asks_to_retry: true, .. }) => {}
            Ok(answer) => sightings.failed_resets.push(format!("reset: {}", answer.status)),
            Err(_) => sightings.failed_resets.push("reset: no answer".to_owned()),
        }
        sightings.note(&scene.database.rows(book).await?);
        sleep(BETWEEN_RESETS).await;
    }
    Ok(())
}
