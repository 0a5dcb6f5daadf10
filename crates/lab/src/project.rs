//! The project's folder, and what the lab keeps in it. All paths are relative to it, because the path of a
//! Unix socket may have no more than 108 bytes.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The lab's state; git ignores it.
pub const STATE: &str = ".flash-sale";
/// Where a running lab listens for commands.
pub const CONTROL_SOCKET: &str = ".flash-sale/control.sock";
/// Where the logs are.
pub const LOGS: &str = ".flash-sale/logs";
/// The lab's own log.
pub const LAB_LOG: &str = ".flash-sale/logs/lab.log";
/// The private PostgreSQL, unless its user can't reach it (see [`crate::postgres::place`]).
pub const POSTGRES: &str = ".flash-sale/postgres";
/// PostgreSQL's programs, where they had to be fetched.
pub const PROGRAMS: &str = ".flash-sale/programs";

const LOCK: &str = ".flash-sale/lab.lock";

/// Goes to the project's folder: the nearest one upwards that has a Cargo.toml and crates/.
///
/// # Errors
/// When there is none.
pub fn enter() -> anyhow::Result<()> {
    let start = std::env::current_dir().context("the current folder is gone")?;
    let is_project = |folder: &&Path| folder.join("Cargo.toml").is_file() && folder.join("crates").is_dir();
    let project = start
        .ancestors()
        .find(is_project)
        .context("this is not the project's folder. Go there first: cd path/to/flash-sale")?;
    std::env::set_current_dir(project).with_context(|| format!("can't go to {}", project.display()))
}

/// Makes the folders of the lab's state.
///
/// # Errors
/// When they can't be made.
pub fn make_folders() -> anyhow::Result<()> {
    fs::create_dir_all(LOGS).with_context(|| format!("can't make {LOGS}"))
}

/// The log of a replica.
pub fn replica_log(name: &str) -> PathBuf {
    Path::new(LOGS).join(format!("{name}.log"))
}

/// Held by a running lab for its whole life: two can't run in one folder.
///
/// # Errors
/// When the lock's file can't be opened. `None`: somebody else holds it.
pub fn try_lock() -> anyhow::Result<Option<File>> {
    fs::create_dir_all(STATE).with_context(|| format!("can't make {STATE}"))?;
    let file = File::create(LOCK).with_context(|| format!("can't open {LOCK}"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("can't lock {LOCK}")),
    }
}
