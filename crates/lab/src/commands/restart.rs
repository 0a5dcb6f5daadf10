//! `lab restart`: new processes of the binary as it is now, one replica after the other.

use anyhow::{Context, bail};

use super::NOT_RUNNING;
use crate::control::{Event, Request, ask};
use crate::settings;

/// Replaces each replica without refusing a connection.
///
/// # Errors
/// When nothing runs, or a new process doesn't start.
pub async fn restart() -> anyhow::Result<()> {
    let request = Request::Restart(settings::shop_variables()?);
    match ask(&request, |line| println!("{line}")).await?.context(NOT_RUNNING)? {
        Event::Failed(reason) => bail!(reason),
        _ => Ok(()),
    }
}
