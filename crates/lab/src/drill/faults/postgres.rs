//! Faults of PostgreSQL itself. The lab stops PostgreSQL and starts it again, so that it is started again even if
//! this program is killed.

use std::time::Duration;

use anyhow::bail;

use crate::control::messages::{DatabaseStop, Event, Request};
use crate::control::{ask, not_understood};
use crate::drill::scene::Struck;

pub(super) async fn restart_at_once() -> anyhow::Result<Struck> {
    stop(0, DatabaseStop::Immediate).await
}

pub(super) async fn stop_for(lasts: Duration) -> anyhow::Result<Struck> {
    let seconds = u32::try_from(lasts.as_secs()).unwrap_or(u32::MAX);
    stop(seconds, DatabaseStop::Fast).await
}

async fn stop(seconds: u32, how: DatabaseStop) -> anyhow::Result<Struck> {
    match ask(&Request::StopDatabase { seconds, how }, |_| {}).await? {
        Some(Event::Done) => Ok(Struck::now()),
        Some(Event::Failed(reason)) => bail!("PostgreSQL: {reason}"),
        None => {
            bail!("the shop was stopped, or was started by an older version. Start it anew: make stop run")
        }
        other => bail!("PostgreSQL: {}", not_understood(&other)),
    }
}
