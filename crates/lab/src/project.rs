//! The project's folder, and what the lab keeps in it. All paths are relative to it, because the path of a
//! Unix socket may have no more than 108 bytes.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::Context;
use flash_sale_testbed::{lock_holder, own_files};
use rustix::fs::Mode;
use rustix::process::umask;
use tokio::net::UnixListener;

/// The lab's state; git ignores it.
pub const STATE: &str = ".flash-sale";
/// Where a running lab listens for commands.
pub const CONTROL_SOCKET: &str = ".flash-sale/control.sock";
/// Where the logs are.
pub const LOGS: &str = ".flash-sale/logs";
/// The lab's own log.
pub const LAB_LOG: &str = ".flash-sale/logs/lab.log";
/// The name of the lab's own log, without `.log`.
pub const LAB: &str = "lab";
/// The lab's name before its lines in `make logs`: a learner knows the lab as the shop.
pub const LABS_LABEL: &str = "shop";
/// The older part of PostgreSQL's log; the log itself is in its folder.
pub const POSTGRES_LOG_ASIDE: &str = ".flash-sale/logs/postgres.log.1";
/// The private PostgreSQL, unless its user can't reach it (see [`flash_sale_testbed::postgres::place`]).
pub const POSTGRES: &str = ".flash-sale/postgres";
/// PostgreSQL's programs, where they had to be fetched.
pub const PROGRAMS: &str = ".flash-sale/programs";

/// What the explorer has of its own: a PostgreSQL, logs, a wiretap.
pub const EXPLORER: &str = ".flash-sale/explorer";
/// The explorer's PostgreSQL, unless its user can't reach it. The explorer itself names this folder.
pub const EXPLORER_POSTGRES: &str = ".flash-sale/explorer/postgres";
/// The same for the explorer of the dashboard.
pub const DASHBOARD: &str = ".flash-sale/dashboard";
/// The PostgreSQL of the dashboard's explorer, unless its user can't reach it.
pub const DASHBOARD_POSTGRES: &str = ".flash-sale/dashboard/postgres";
/// The same for `make step`.
pub const STEP: &str = ".flash-sale/step";
/// The PostgreSQL of `make step`, unless its user can't reach it.
pub const STEP_POSTGRES: &str = ".flash-sale/step/postgres";
/// What a benchmark has of its own: a PostgreSQL, logs, pgbench's scripts.
pub const BENCH: &str = ".flash-sale/bench";
/// The last report of a benchmark.
pub const BENCH_REPORT: &str = ".flash-sale/bench/report.json";
/// The benchmark's PostgreSQL, unless its user can't reach it.
pub const BENCH_POSTGRES: &str = ".flash-sale/bench/postgres";
/// The logs of the benchmark's replicas.
pub const BENCH_LOGS: &str = ".flash-sale/bench/logs";
/// Where the wiretap listens for the replicas.
pub const WIRE: &str = ".flash-sale/wire";

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
/// When they can't be made, or belong to another user. This holds for root too, because root would leave files in them.
pub fn make_folders() -> anyhow::Result<()> {
    own_files::make_our_folder(Path::new(STATE), own_files::mode_on_the_way())?;
    own_files::make_our_folder(Path::new(LOGS), 0o700)
}

/// Makes the folder of the lab's state. No other user sees anything in it. If we are root, PostgreSQL's own user can
/// pass through it.
fn make_state() -> anyhow::Result<()> {
    let mode = own_files::mode_on_the_way();
    own_files::make_folder(Path::new(STATE), mode).with_context(|| format!("can't make {STATE}"))
}

/// Opens the socket on which the lab hears commands. From its first moment, no other user can connect to it, because of
/// the umask. The umask is that of the whole process, but the process makes no other file at that time.
///
/// # Errors
/// When it can't be made.
pub fn listen_for_commands() -> anyhow::Result<UnixListener> {
    let before = umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
    let listener = UnixListener::bind(CONTROL_SOCKET);
    umask(before);
    listener.with_context(|| format!("can't listen on {CONTROL_SOCKET}"))
}

/// The log of a replica.
pub fn replica_log(name: &str) -> PathBuf {
    Path::new(LOGS).join(format!("{name}.log"))
}

/// Takes the lock that a running lab holds for its whole life, so that two labs can't run in one folder. `None`:
/// another process holds it.
///
/// # Errors
/// When the lock's file can't be opened or locked.
pub fn try_lock() -> anyhow::Result<Option<File>> {
    make_state()?;
    let opened = || format!("can't open {LOCK}");
    let file = own_files::open_to_append(Path::new(LOCK)).with_context(opened)?;
    // Root may stop the shop of another user, who must not find a file of root's afterwards.
    own_files::leave_to_owner_of(Path::new(STATE), &file).with_context(opened)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("can't lock {LOCK}")),
    }
}

/// Which process holds the lock of a running lab, and what to do about it. For messages.
pub fn lock_holder() -> Option<String> {
    lock_holder::of(&File::open(LOCK).ok()?, Path::new(LOCK))
}
