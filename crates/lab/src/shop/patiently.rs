//! Again and again, for what comes back after a fault.

use std::time::{Duration, Instant};

use tokio::time::sleep;

/// For what follows a fault: the database may only just be coming back.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(250);

/// Tries until it succeeds, or what comes back after a fault has had its time.
pub async fn patiently<T>(attempt: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let deadline = Instant::now() + COMES_BACK_WITHIN;
    loop {
        match attempt().await {
            Err(_) if Instant::now() < deadline => sleep(POLL).await,
            result => return result,
        }
    }
}
