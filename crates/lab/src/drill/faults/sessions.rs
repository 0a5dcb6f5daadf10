//! Faults of database sessions: the shop's, or those of others.

use anyhow::ensure;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::drill::scene::{Scene, Struck};

pub(super) async fn hold_row(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let plenty: Vec<Uuid> = scene.market.shelves().iter().map(|shelf| shelf.plenty.product).collect();
    let held = scene.database.hold(&plenty).await?;
    sleep(scene.lasts).await;
    held.rollback().await?;
    Ok(Struck::now())
}

pub(super) async fn terminate(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let ended = scene.database.terminate_shop_sessions().await?;
    ensure!(ended > 0, "the shop has no session in the database. Look at: make status");
    Ok(Struck::now())
}

pub(super) async fn exhaust_pools(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let others = scene.others();
    let products: Vec<Uuid> = others.iter().map(|item| item.product).collect();
    let held = scene.database.hold(&products).await?;
    let enough = CancellationToken::new();
    // One buyer for each connection, and one more who waits for it.
    let waiting = scene.market.send_regulars(&others, 2 * scene.connections, &enough);
    let release = async {
        sleep(scene.lasts).await;
        let released = held.rollback().await;
        enough.cancel();
        released.map(|()| Struck::now())
    };
    let (struck, ()) = tokio::join!(release, waiting);
    Ok(struck?)
}

pub(super) async fn refuse_writes(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    scene.database.refuse_writes().await?;
    sleep(scene.lasts).await;
    scene.database.allow_writes().await?;
    Ok(Struck::now())
}
