//! Waits for a condition, instead of sleeping and hoping.

use std::panic::Location;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// Asks `condition` again and again until it says yes.
///
/// ```no_run
/// # use flash_sale_testbed::testing::{SideConnection, wait_until};
/// # async fn example(side: SideConnection) {
/// wait_until("a purchase waits for the lock", async || side.waiting_statements().await.len() == 1).await;
/// # }
/// ```
///
/// # Panics
/// When thirty seconds have passed. The panic names the caller and what was waited for.
#[track_caller]
pub fn wait_until(what: &str, condition: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    poll_until(what, condition, Location::caller())
}

async fn poll_until(what: &str, mut condition: impl AsyncFnMut() -> bool, caller: &'static Location<'_>) {
    let deadline = Instant::now() + LIMIT;
    while !condition().await {
        assert!(
            Instant::now() < deadline,
            "{caller}: waited {} s, and this did not happen: {what}",
            LIMIT.as_secs()
        );
        tokio::time::sleep(POLL).await;
    }
}
