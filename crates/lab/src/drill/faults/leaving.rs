//! Buyers who leave, on a database that is near and on one that is far away.

use std::time::Instant;

use tokio::time::sleep;

use crate::drill::distance::ReadyTimes;
use crate::drill::leavers::Leavers;
use crate::drill::scene::{Scene, Struck};
use crate::drill::visitor::{Visitor, shortest_ready};

pub(super) async fn leave(scene: &mut Scene<'_>) -> anyhow::Result<Struck> {
    let Scene { market, leavers, watch, random, .. } = scene;
    let sent = leavers.map(|count| (count, Leavers::send(market, count, random)));
    let visitor = Visitor::send(scene.shop);
    sleep(scene.lasts).await;
    let wrong = visitor.call_off().await?;
    let leaving = match sent {
        Some((count, leavers)) => Some(leavers.call_off_and_come_alone(watch, market, count, random).await?),
        None => None,
    };
    Ok(Struck { leaving, wrong, ..Struck::now() })
}

pub(super) async fn leave_far_away(scene: &mut Scene<'_>) -> anyhow::Result<Struck> {
    let near = shortest_ready(scene.shop).await?;
    scene.distance.go_far().await?;
    let shop = scene.shop;
    let (struck, far) = tokio::join!(leave(scene), shortest_ready(shop));
    scene.distance.come_near().await?;
    let ready = Some(ReadyTimes { near, far: far? });
    Ok(Struck { ready, ended: Instant::now(), ..struck? })
}
