//! `lab serve`, hidden: the process that `lab up` leaves running.

use crate::server::{self, Starter};
use crate::settings::LabSettings;

/// Runs everything until it is told to stop.
///
/// # Errors
/// When something doesn't start.
pub async fn serve() -> anyhow::Result<()> {
    // A session of its own: a Ctrl-C in the terminal, or its closing, is not for us.
    let _ = rustix::process::setsid();
    server::run(LabSettings::read()?, Starter::Pipes).await
}
