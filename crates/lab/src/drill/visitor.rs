//! A visitor who comes after others: is the page whole, and how far away is the database? Start with
//! [`Visitor::send`].

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::shop::client::Shop;

const PAUSE: Duration = Duration::from_millis(50);
/// The shortest of so many is near enough to what it takes when nothing is in its way.
const MEASUREMENTS: usize = 10;

/// Somebody who looks at the page, again and again.
pub struct Visitor {
    task: JoinHandle<BTreeMap<String, usize>>,
    enough: DropGuard,
}

impl Visitor {
    /// Sends one.
    pub fn send(shop: &Shop) -> Self {
        let (shop, enough) = (shop.clone(), CancellationToken::new());
        let task = tokio::spawn(look_again_and_again(shop, enough.clone()));
        Self { task, enough: enough.drop_guard() }
    }

    /// Whatever the visitor was told but the page, and how many times.
    ///
    /// # Errors
    /// When there is none any more.
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

/// The shortest of several times until the shop says that its database answers: one statement to PostgreSQL and back,
/// and little else.
///
/// # Errors
/// When it says something else.
pub async fn shortest_ready(shop: &Shop) -> anyhow::Result<Duration> {
    let mut shortest = Duration::MAX;
    for _ in 0..MEASUREMENTS {
        let answer = shop.get("/ready").await?;
        ensure!(answer.status == 200, "GET /ready: {}. Look at: make logs", answer.status);
        shortest = shortest.min(answer.took);
    }
    Ok(shortest)
}
