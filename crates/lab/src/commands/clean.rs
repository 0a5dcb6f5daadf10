//! `lab clean`: stops everything and removes the data.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::Context;
use flash_sale_testbed::postgres::place;

use super::down;
use crate::console;
use crate::project::{
    BENCH, BENCH_POSTGRES, DASHBOARD, DASHBOARD_POSTGRES, EXPLORER, EXPLORER_POSTGRES, LOGS, POSTGRES, STEP,
    STEP_POSTGRES,
};

/// Removes the databases of the shop, of the explorers and of the benchmark, and the logs. PostgreSQL's programs, if
/// they had to be fetched, stay.
///
/// # Errors
/// When a folder can't be removed.
pub async fn clean() -> anyhow::Result<()> {
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

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
