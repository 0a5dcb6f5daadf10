//! How far away the database is: the lab lends distance, and takes it back when it isn't given back.

use std::time::Duration;

use anyhow::Context;
use tokio::sync::Mutex;

use crate::control::loan::Loan;

/// How far a far database is, in each direction.
pub const FAR: Duration = Duration::from_millis(10);
/// Of both directions, at least this part must be seen to be added: clocks and timers count in steps.
const SEEN_PERCENT: u32 = 90;

/// What is borrowed of it.
#[derive(Default)]
pub struct Distance(Mutex<Option<Loan>>);

impl Distance {
    /// Returns when the replicas' database is far away.
    ///
    /// # Errors
    /// When the lab can't lend it.
    pub async fn go_far(&self) -> anyhow::Result<()> {
        let mut loan = self.0.lock().await;
        *loan = Some(Loan::take_distance(FAR).await?);
        Ok(())
    }

    /// Returns when it is as near as before. Does no harm when it is.
    ///
    /// # Errors
    /// When the replicas can't be replaced.
    pub async fn come_near(&self) -> anyhow::Result<()> {
        match self.0.lock().await.take() {
            Some(loan) => loan.give_back().await.context("the replicas keep the far database"),
            None => Ok(()),
        }
    }
}

/// What `/ready` took, which asks the database once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyTimes {
    /// Before the database went away.
    pub near: Duration,
    /// When it was far.
    pub far: Duration,
}

impl ReadyTimes {
    /// Whether the way there and back is part of it.
    pub fn show_distance(&self) -> bool {
        self.far >= self.near + FAR * 2 * SEEN_PERCENT / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_far_when_its_answers_take_the_way_there_and_back() {
        let near = Duration::from_millis(3);

        assert!(ReadyTimes { near, far: near + FAR * 2 }.show_distance());
        assert!(!ReadyTimes { near, far: near + FAR }.show_distance());
        assert!(!ReadyTimes { near, far: near }.show_distance());
    }
}
