//! `lab clean`: stops everything and removes the data.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use flash_sale_testbed::postgres::place;
use tokio::time::sleep;

use super::down;
use crate::console;
use crate::project::{
    BENCH, BENCH_POSTGRES, DASHBOARD, DASHBOARD_POSTGRES, EXPLORER, EXPLORER_POSTGRES, LOGS, POSTGRES, STEP,
    STEP_POSTGRES,
};

/// The folders of commands that work beside the shop, with these commands. Each locks its folder as long as it works.
const BESIDE_THE_SHOP: [(&str, &str); 3] = [
    (EXPLORER, "make explore, make predict, make check or make watch"),
    (STEP, "make step"),
    (BENCH, "make bench"),
];
/// What plays the interleavings for a check takes no longer.
const TURN_LIMIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// Removes the databases of the shop, of the explorers and of the benchmark, and the logs. PostgreSQL's programs, if
/// they had to be fetched, stay.
///
/// # Errors
/// When a folder can't be removed, or a command beside the shop works in it. Then nothing is stopped or removed.
pub async fn clean() -> anyhow::Result<()> {
    let _turns = take_turns().await?;
    let _lock = down::stop().await?;
    let postgres = [POSTGRES, EXPLORER_POSTGRES, DASHBOARD_POSTGRES, STEP_POSTGRES, BENCH_POSTGRES];
    for folder in postgres.map(Path::new) {
        if let Ok(wanted) = folder.canonicalize() {
            remove(&place::fallback(&wanted))?;
        }
        remove(folder)?;
    }
    for folder in [EXPLORER, DASHBOARD, STEP, BENCH, LOGS].map(Path::new) {
        remove(folder)?;
    }
    console::line(
        "The shop's private database and its logs are removed. A database of your own (DATABASE_URL) is not changed.",
    );
    Ok(())
}

/// The locks of all folders beside the shop. As long as they are held, no command begins to work in one.
///
/// Without them, PostgreSQL's files would vanish under a command that goes on, and it would report what it saw then.
async fn take_turns() -> anyhow::Result<Vec<File>> {
    let deadline = Instant::now() + TURN_LIMIT;
    let mut turns = Vec::new();
    for (folder, commands) in BESIDE_THE_SHOP {
        let path = Path::new(folder).join("lock");
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened.with_context(|| format!("can't open {}", path.display()))?,
        };
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(POLL).await,
                Err(TryLockError::WouldBlock) => bail!(
                    "{commands} is at work in {folder}, so nothing was removed. Wait for its end, or end it with Ctrl-C. \
                     Then: make clean"
                ),
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("can't lock {}", path.display()));
                }
            }
        }
        turns.push(file);
    }
    Ok(turns)
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
