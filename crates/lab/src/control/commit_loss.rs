//! A loss of answers to COMMIT, which the running lab causes for a command. As with a loan, the lab notices the end of
//! the command, also when the command is killed.

use std::num::NonZeroUsize;

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::messages::{Event, Request};
use super::{borrow, last_event, not_understood};

/// Answers to COMMITs of purchases are lost as long as this value lives.
pub struct CommitLoss(UnixStream);

impl CommitLoss {
    /// Makes the running lab's wiretap lose answers: for each replica, one of so many.
    ///
    /// # Errors
    /// When no lab runs, or it has no wiretap.
    pub async fn begin(one_in: NonZeroUsize) -> anyhow::Result<Self> {
        borrow(&Request::LoseCommitAnswers { one_in }).await.map(Self)
    }

    /// Ends the loss. Returns how many answers were lost.
    ///
    /// # Errors
    /// When the lab was stopped meanwhile.
    pub async fn end(self) -> anyhow::Result<usize> {
        let Self(mut stream) = self;
        let _ = stream.shutdown().await;
        match last_event(&mut stream, |_| {}).await?.context("the shop was stopped. Start it: make run")? {
            Event::LostAnswers(count) => Ok(count),
            other => bail!(not_understood(&other)),
        }
    }
}
