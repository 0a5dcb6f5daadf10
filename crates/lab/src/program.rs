//! Runs other programs, which show what they do: cargo, and the lab's own commands.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context;
use flash_sale_testbed::program_file::ProgramFile;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// Runs a program to its end. It runs on our terminal, so its colours and its progress are as always. Returns true
/// when the program says that it succeeded. When this future is dropped, the program is interrupted.
///
/// # Errors
/// When it can't be started.
pub async fn run(program: impl AsRef<OsStr>, arguments: &[&str]) -> anyhow::Result<bool> {
    let mut running = Interrupted::start(program.as_ref(), arguments, Stdio::inherit())?;
    Ok(running.0.wait().await?.success())
}

/// Does the same as [`run`], and returns the program's output, too. Its errors are shown on the terminal.
///
/// # Errors
/// When the program can't be started, or prints something else than text.
pub async fn output(program: impl AsRef<OsStr>, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    let mut running = Interrupted::start(program.as_ref(), arguments, Stdio::piped())?;
    let mut output = String::new();
    if let Some(mut pipe) = running.0.stdout.take() {
        pipe.read_to_string(&mut output).await?;
    }
    Ok((running.0.wait().await?.success(), output))
}

/// Interrupts a program that hasn't ended. Unlike a killed program, an interrupted program may put things in order.
struct Interrupted(Child);

impl Interrupted {
    fn start(program: &OsStr, arguments: &[&str], output: Stdio) -> anyhow::Result<Self> {
        let started = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(output).spawn();
        Ok(Self(started.with_context(|| format!("can't start {}", program.to_string_lossy()))?))
    }
}

impl Drop for Interrupted {
    fn drop(&mut self) {
        // Without an id, the program was waited for.
        if let Some(pid) = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            let _ = kill_process(pid, Signal::INT);
        }
    }
}

/// The file of this program. A build may put a new file in its place.
pub struct OwnProgram {
    /// Its path, which stays when the file is replaced.
    pub path: PathBuf,
    built: Option<ProgramFile>,
}

impl OwnProgram {
    /// The file as it is now. Call this before the first build.
    ///
    /// # Errors
    /// When the system doesn't know the file.
    pub fn find() -> anyhow::Result<Self> {
        let path = std::env::current_exe().context("this program can't find its own file")?;
        let built = ProgramFile::at(&path).ok();
        Ok(Self { path, built })
    }

    /// Whether the file was replaced since the last call. The first call asks about the time since
    /// [`OwnProgram::find`].
    pub fn is_replaced(&mut self) -> bool {
        let now = ProgramFile::at(&self.path).ok();
        std::mem::replace(&mut self.built, now) != now
    }
}
