//! How many files may be open at once. Each connection is one open file, at either end.

use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More files than a lab can use.
const MOST: u64 = 65_536;
/// The files that are no connection of a buyer: programs, logs, the database, and what a runtime needs for itself.
pub const BESIDE_CONNECTIONS: u64 = 64;

/// Enough files to sell to one person, and for a check's crowd of two hundred.
pub const FEWEST: u64 = 256;

/// Lets this process, and those it starts, open as many files as the system allows. `purpose` says what needs so
/// many: "the shop needs".
///
/// # Errors
/// When the system doesn't allow `needed` files. The error says what to do.
pub fn require(needed: u64, purpose: &str) -> anyhow::Result<()> {
    raise();
    if allowed() < needed {
        bail!("{purpose} {needed} open files. {}", advice());
    }
    Ok(())
}

/// Lets this process, and those it starts, open as many files as the system allows.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(MOST).min(MOST);
    let raised = Rlimit { current: Some(most), maximum: limit.maximum };
    if limit.current.is_some_and(|current| current < most)
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        log::warn!("can't raise the limit of open files to {most}: {error}");
    }
}

/// How many files this process may open.
pub fn allowed() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(MOST).min(MOST)
}

/// What a person can do who needs more open files.
pub fn advice() -> String {
    format!(
        "No more than {} are allowed here (ulimit -n). Allow more: ulimit -n 4096, or, where that is refused, in a new \
         terminal",
        allowed()
    )
}
