//! What an earlier lab left: processes that are about to end, logs, a socket.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use flash_sale_testbed::log_file;
use flash_sale_testbed::own_files::open_to_append;
use flash_sale_testbed::postgres::{cluster_files::ClusterFiles, place};

use crate::project;

/// Waits until no process of an earlier lab runs any more. The children of a lab that was killed end by themselves.
///
/// # Errors
/// When such a process is still there after half a minute. The error names the log that it writes to.
pub async fn wait_for_leftovers() -> anyhow::Result<()> {
    let entries = fs::read_dir(project::LOGS).into_iter().flatten().flatten();
    let replicas = entries.map(|entry| entry.path()).filter(|path| path != Path::new(project::LAB_LOG));
    let mut logs: Vec<PathBuf> = replicas.collect();
    if let Ok(wanted) = Path::new(project::POSTGRES).canonicalize() {
        let places = [place::fallback(&wanted), wanted].map(|folder| ClusterFiles::log_in(&folder));
        logs.extend(places.into_iter().filter(|log| log.exists()));
    }
    for log in logs {
        log_file::lock(&log).await?;
    }
    Ok(())
}

/// Empties the logs and removes the socket.
pub(super) fn make_way() -> anyhow::Result<()> {
    project::make_folders()?;
    for entry in fs::read_dir(project::LOGS)?.flatten() {
        // The logs are emptied, not removed: we write to one of them, and somebody may be reading the others.
        open_to_append(&entry.path())?.set_len(0)?;
    }
    match fs::remove_file(project::CONTROL_SOCKET) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
