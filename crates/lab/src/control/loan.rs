//! A loan: other variables, or a database that is far away, with which the replicas run only for a while. A borrower
//! gives the loan back when its connection to the lab ends. So the lab notices it also when the borrower is killed.

use std::time::Duration;

use anyhow::bail;
use flash_sale_testbed::shop_settings::ShopVariables;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::messages::{Event, Request};
use super::{borrow, last_event};

/// The replicas run with what was borrowed as long as this value lives.
pub struct Loan(UnixStream);

impl Loan {
    /// Makes the running lab replace its replicas, and returns when they run with `variables`. If another command has
    /// borrowed variables, this waits until it gives them back.
    ///
    /// # Errors
    /// When no lab runs, or the replicas don't start with them.
    pub async fn take(variables: ShopVariables) -> anyhow::Result<Self> {
        borrow(&Request::Lend(variables)).await.map(Self)
    }

    /// As [`Loan::take`], of a race window (`RACE_WINDOW_MS`).
    ///
    /// # Errors
    /// As [`Loan::take`].
    pub async fn take_race_window(milliseconds: u16) -> anyhow::Result<Self> {
        Self::take(ShopVariables::from([("RACE_WINDOW_MS".to_owned(), milliseconds.to_string())])).await
    }

    /// As [`Loan::take`], but borrows distance: PostgreSQL is `delay` away from the replicas, in each direction.
    /// Distance and variables can be borrowed at the same time.
    ///
    /// # Errors
    /// When no lab runs, no line to its database can be opened, or the replicas don't start with it.
    pub async fn take_distance(delay: Duration) -> anyhow::Result<Self> {
        let milliseconds = u32::try_from(delay.as_millis())?;
        borrow(&Request::LendDistance { milliseconds }).await.map(Self)
    }

    /// Returns when the replicas run as before.
    ///
    /// # Errors
    /// When the replicas don't start.
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
