//! Keeps the logs of the replicas and of the lab itself short, as long as the lab runs, and those of a benchmark's
//! replicas. `database/keeper.rs` keeps PostgreSQL's log short.

use std::fs;
use std::io;
use std::path::Path;

use flash_sale_testbed::log_file::{self, BETWEEN_LOOKS, aside, is_long, put_aside_if_long};
use flash_sale_testbed::own_files::open_to_append;
use tokio::time::sleep;

/// Looks at the logs in this folder from time to time, without an end.
pub(crate) async fn keep_short(logs: &'static str) {
    loop {
        sleep(BETWEEN_LOOKS).await;
        // Files may be slow, and the gateway runs on these threads.
        let _ = tokio::task::spawn_blocking(|| look(Path::new(logs))).await;
    }
}

fn look(logs: &Path) {
    for entry in fs::read_dir(logs).into_iter().flatten().flatten() {
        let path = entry.path();
        if log_file::is_log(&path)
            && is_long(&path)
            && let Err(error) = put_aside(&path)
        {
            log::warn!(
                "{} is long, and a part of it could not be moved to another file: {error}",
                path.display()
            );
        }
    }
}

fn put_aside(path: &Path) -> io::Result<bool> {
    put_aside_if_long(&open_to_append(path)?, &aside(path))
}
