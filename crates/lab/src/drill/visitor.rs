//! A visitor who comes after others and looks: is the page whole, and how far away is the database? Start with
//! [`Visitor::send`].

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::shop::client::Shop;

const PAUSE: Duration = Duration::from_millis(50);
/// The number of measurements. The shortest of them is near enough to the time that `/ready` takes when nothing is in
/// its way.
const MEASUREMENTS: usize = 10;

/// Somebody who looks at the page, again and again.
pub struct Visitor {
    task: JoinHandle<BTreeMap<String, usize>>,
    enough: DropGuard,
}

impl Visitor {
    /// Sends a visitor.
    pub fn send(shop: &Shop) -> Self {
        let (shop, enough) = (shop.clone(), CancellationToken::new());
        let task = tokio::spawn(look_again_and_again(shop, enough.clone()));
        Self { task, enough: enough.drop_guard() }
    }

    /// Calls the visitor off. Returns every answer that was not the page, and how many times it came.
    ///
    /// # Errors
    /// When the visitor is gone.
    pub async fn call_off(self) -> anyhow::Result<BTreeMap<String, usize>> {
        drop(self.enough);
        self.task.await.context("the visitor is gone")
    }
}

async fn look_again_and_again(shop: Shop, enough: CancellationToken) -> BTreeMap<String, usize> {
    let mut wrong = BTreeMap::new();
    while !enough.is_cancelled() {
        let what = match shop.get("/").await {
            Ok(answer) if answer.status == 200 => None,
            Ok(answer) => Some(format!("GET /: {}", answer.status)),
            Err(_) => Some("GET /: no answer".to_owned()),
        };
        if let Some(what) = what {
            *wrong.entry(what).or_default() += 1;
        }
        sleep(PAUSE).await;
    }
    wrong
}

/// Asks several times whether the shop's database answers, and returns the shortest time that this took. It is the
/// time of one statement to PostgreSQL and back, and of little else.
///
/// # Errors
/// When the shop says that its database doesn't answer.
pub async fn shortest_ready(shop: &Shop) -> anyhow::Result<Duration> {
    let mut shortest = Duration::MAX;
    for _ in 0..MEASUREMENTS {
        let answer = shop.get("/ready").await?;
        ensure!(answer.status == 200, "GET /ready: {}. Look at: make logs", answer.status);
        shortest = shortest.min(answer.took);
    }
    Ok(shortest)
}
