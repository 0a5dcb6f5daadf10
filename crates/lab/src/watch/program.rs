//! Other programs that show what they do: cargo, and the lab's own commands.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// Runs a program to its end, on our terminal: its colours and its progress are as always. True: it says
/// that it succeeded. When this future is dropped, the program is interrupted.
///
/// # Errors
/// When it can't be started.
pub async fn run(program: impl AsRef<OsStr>, arguments: &[&str]) -> anyhow::Result<bool> {
    let name = program.as_ref().to_string_lossy().into_owned();
    let started = Command::new(program).args(arguments).stdin(Stdio::null()).spawn();
    let mut running = Interrupted(started.with_context(|| format!("can't start {name}"))?);
    Ok(running.0.wait().await?.success())
}

/// Interrupts a program that hasn't ended: unlike a killed one, it may put things in order.
struct Interrupted(Child);

impl Drop for Interrupted {
    fn drop(&mut self) {
        // No id: it was waited for.
        if let Some(pid) = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            let _ = kill_process(pid, Signal::INT);
        }
    }
}

/// The file that we run from. A build may put a new one in its place.
pub struct OwnProgram {
    /// Its path, which stays when the file is replaced.
    pub path: PathBuf,
    built: Option<SystemTime>,
}

impl OwnProgram {
    /// As it is now: call it before the first build.
    ///
    /// # Errors
    /// When the system doesn't know.
    pub fn find() -> anyhow::Result<Self> {
        let path = std::env::current_exe().context("the lab can't find itself")?;
        let built = built(&path);
        Ok(Self { path, built })
    }

    /// Whether there is another one since the last time that this was asked.
    pub fn is_replaced(&mut self) -> bool {
        let now = built(&self.path);
        std::mem::replace(&mut self.built, now) != now
    }
}

fn built(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}
