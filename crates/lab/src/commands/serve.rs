//! `lab serve`, hidden: the process that `lab up` leaves running.

use std::path::PathBuf;

use crate::server::{self, Starter};
use crate::settings::LabSettings;

/// Runs everything until it is told to stop; `binary` is the shop's program.
///
/// # Errors
/// When something doesn't start.
pub async fn serve(binary: PathBuf) -> anyhow::Result<()> {
    // A session of its own, so that a Ctrl-C in the terminal, or the terminal's end, doesn't reach this process.
    let _ = rustix::process::setsid();
    server::run(LabSettings::read()?, binary, Starter::Pipes).await
}
