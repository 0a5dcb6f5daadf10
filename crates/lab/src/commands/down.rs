//! `lab down`: stops everything.

use std::fs::File;
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::time::sleep;

use crate::console;
use crate::control::ask;
use crate::control::messages::Request;
use crate::{project, server};

/// A little more than a replica and PostgreSQL may take to end.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Stops everything, and returns when it is gone. It is no error when nothing runs.
///
/// # Errors
/// When it doesn't stop.
pub async fn down() -> anyhow::Result<()> {
    let _lock = stop().await?;
    Ok(())
}

/// Stops everything, and returns the lab's lock. While the lock is held, nothing can start.
pub(super) async fn stop() -> anyhow::Result<File> {
    let deadline = Instant::now() + LIMIT;
    let mut running = false;
    while Instant::now() < deadline {
        running |= ask(&Request::Stop, |line| console::line(line)).await?.is_some();
        if let Some(lock) = project::try_lock()? {
            server::wait_for_leftovers().await?;
            console::line(if running { "The shop is closed." } else { "Nothing is running." });
            return Ok(lock);
        }
        running = true;
        sleep(POLL).await;
    }
    let holder = project::lock_holder().unwrap_or_default();
    bail!("the shop did not stop in {} s. Look at {}\n{holder}", LIMIT.as_secs(), project::LAB_LOG)
}
