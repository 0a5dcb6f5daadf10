//! What the replicas run with only for a while: other variables, or a database that is far away. Whoever borrows it
//! gives it back by going away: also when it is killed, the lab notices.

use std::time::Duration;

use anyhow::{Context, bail};
use flash_sale_testbed::shop_settings::ShopVariables;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::messages::{Event, Request};
use super::{NOT_RUNNING, last_event, not_understood, send};

/// The replicas run with what was borrowed as long as this lives.
pub struct Loan(UnixStream);

impl Loan {
    /// Has the running lab replace its replicas; returns when they run with `variables`. When somebody else
    /// has borrowed some, it waits for them.
    ///
    /// # Errors
    /// When no lab runs, or the replicas don't start with them.
    pub async fn take(variables: ShopVariables) -> anyhow::Result<Self> {
        Self::ask_for(&Request::Lend(variables)).await
    }

    /// As [`Loan::take`], of distance: PostgreSQL is so far away from the replicas, in each direction. It can be
    /// borrowed besides variables.
    ///
    /// # Errors
    /// When no lab runs, no line can lead to its database, or the replicas don't start with it.
    pub async fn take_distance(delay: Duration) -> anyhow::Result<Self> {
        let milliseconds = u32::try_from(delay.as_millis())?;
        Self::ask_for(&Request::LendDistance { milliseconds }).await
    }

    async fn ask_for(request: &Request) -> anyhow::Result<Self> {
        let mut stream = send(request).await?.context(NOT_RUNNING)?;
        let silent = "the shop was stopped, or was started by an older version. Start it anew: make stop run";
        match last_event(&mut stream, |_| {}).await?.context(silent)? {
            Event::Done => Ok(Self(stream)),
            Event::Failed(reason) => bail!(reason),
            other => bail!(not_understood(&other)),
        }
    }

    /// Returns when the replicas run as before.
    ///
    /// # Errors
    /// When they don't start.
    pub async fn give_back(self) -> anyhow::Result<()> {
        let Self(mut stream) = self;
        // A lab that was stopped meanwhile has nothing to take back.
        let _ = stream.shutdown().await;
        match last_event(&mut stream, |_| {}).await? {
            Some(Event::Failed(reason)) => bail!(reason),
            _ => Ok(()),
        }
    }
}
