//! Tries again and again, because after a fault the shop and its database need a moment to come back.

use std::time::{Duration, Instant};

use tokio::time::sleep;

/// How long to try after a fault: the database may only just be coming back.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(250);

/// Tries until it succeeds, or until the time to come back is over.
pub async fn patiently<T>(attempt: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let deadline = Instant::now() + COMES_BACK_WITHIN;
    loop {
        match attempt().await {
            Err(_) if Instant::now() < deadline => sleep(POLL).await,
            result => return result,
        }
    }
}
