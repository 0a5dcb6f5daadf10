//! `lab restart`: replaces the replicas, one after the other, by processes of what is built now.

use anyhow::{Context, bail};

use super::NOT_BUILT;
use crate::build::{Show, build};
use crate::console;
use crate::control::NOT_RUNNING;
use crate::control::ask;
use crate::control::messages::{Event, Request, Wanted};
use crate::settings;

/// Builds what has changed, and replaces each replica without refusing a connection.
///
/// # Errors
/// When the shop doesn't compile, nothing runs, a new process doesn't start, or the new processes can't use their
/// database.
pub async fn restart(show: Show) -> anyhow::Result<()> {
    let variables = settings::shop_variables()?;
    let binary = build(show).await?.context(NOT_BUILT)?.path;
    let request = Request::Run(Wanted { binary, variables, only_if_changed: false });
    match ask(&request, |line| console::line(line)).await?.context(NOT_RUNNING)? {
        Event::Failed(reason) | Event::WithoutDatabase(reason) => bail!(reason),
        _ => Ok(()),
    }
}
