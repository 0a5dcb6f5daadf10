//! Variables that the replicas run with only for a while. Whoever borrows them gives them back by going away:
//! also when it is killed, the lab notices.

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::{Event, Request, last_event, send};
use crate::settings::ShopVariables;

/// The replicas run with other variables as long as this lives.
pub struct Loan(UnixStream);

impl Loan {
    /// Has the running lab replace its replicas; returns when they run with `variables`. When somebody else
    /// has borrowed some, it waits for them.
    ///
    /// # Errors
    /// When no lab runs, or the replicas don't start with them.
    pub async fn take(variables: ShopVariables) -> anyhow::Result<Self> {
        let not_running = "the lab is not running. Start it: make run";
        let mut stream = send(&Request::Lend(variables)).await?.context(not_running)?;
        let silent = "the lab was stopped, or is older than this command. Start it anew: make stop run";
        match last_event(&mut stream, |_| {}).await?.context(silent)? {
            Event::Done => Ok(Self(stream)),
            Event::Failed(reason) => bail!(reason),
            other => bail!("unexpected answer: {other:?}"),
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
