//! Moves the database far away from the replicas. The lab lends this distance. When a drill doesn't give it back, the
//! lab takes it back.

use std::time::Duration;

use anyhow::Context;
use tokio::sync::Mutex;

use crate::control::loan::Loan;

/// How far away a far database is: a message takes this long in each direction.
pub const FAR: Duration = Duration::from_millis(10);
/// At least this part of the way there and back must be seen in the answer's time. It is not all of it, because
/// clocks and timers count in steps.
const SEEN_PERCENT: u32 = 90;

/// The distance that is borrowed now, if any is.
#[derive(Default)]
pub struct Distance(Mutex<Option<Loan>>);

impl Distance {
    /// Returns when the replicas' database is far away.
    ///
    /// # Errors
    /// When the lab can't lend the distance.
    pub async fn go_far(&self) -> anyhow::Result<()> {
        let mut loan = self.0.lock().await;
        *loan = Some(Loan::take_distance(FAR).await?);
        Ok(())
    }

    /// Returns when the database is as near as before. It does nothing when the database is near already.
    ///
    /// # Errors
    /// When the replicas can't be replaced by some whose database is near.
    pub async fn come_near(&self) -> anyhow::Result<()> {
        match self.0.lock().await.take() {
            Some(loan) => loan.give_back().await.context("the replicas keep the far database"),
            None => Ok(()),
        }
    }
}

/// How long `/ready` took. Each `/ready` asks the database once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyTimes {
    /// Before the database went away.
    pub near: Duration,
    /// While it was far away.
    pub far: Duration,
}

impl ReadyTimes {
    /// Whether the far database has added the way there and back.
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
