//! The schedules that were played again for a page. The last ones are kept, so that stepping to and fro shows the same
//! play.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::http::StatusCode;

use crate::played::{NotPlayed, PlayOrder, Played};
use crate::problem::Problem;
use crate::rooms::Scheduler;

/// So many are kept.
const KEPT: usize = 32;

/// What plays, and what it has played. A copy of this value shows the same.
#[derive(Clone)]
pub struct Plays(Arc<SharedPlays>);

struct SharedPlays {
    scheduler: Arc<dyn Scheduler>,
    /// Each with the number of its exploration. The oldest one comes first.
    kept: Mutex<VecDeque<KeptPlay>>,
}

type KeptPlay = (u64, PlayOrder, Arc<Played>);

impl Plays {
    /// Nothing was played yet.
    pub fn new(scheduler: Arc<dyn Scheduler>) -> Self {
        Self(Arc::new(SharedPlays { scheduler, kept: Mutex::default() }))
    }

    /// Plays these steps.
    ///
    /// # Errors
    /// When a step is not possible, or nothing can be played just now.
    pub async fn play(&self, order: PlayOrder) -> Result<Played, NotPlayed> {
        self.0.scheduler.play(order).await
    }

    /// The play of this schedule of an exploration. It is played if it is not kept.
    ///
    /// # Errors
    /// As [`Plays::play`].
    pub async fn of_exploration(&self, number: u64, order: PlayOrder) -> Result<Arc<Played>, NotPlayed> {
        let is_it = |(its_number, its_order, _): &&KeptPlay| *its_number == number && *its_order == order;
        let found = self.kept().iter().find(is_it).map(|(.., played)| Arc::clone(played));
        if let Some(played) = found {
            return Ok(played);
        }
        let played = Arc::new(self.play(order.clone()).await?);
        let mut kept = self.kept();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((number, order, Arc::clone(&played)));
        Ok(played)
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<KeptPlay>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<NotPlayed> for Problem {
    fn from(reason: NotPlayed) -> Self {
        match reason {
            NotPlayed::NotPossible(reason) => Self::new(StatusCode::NOT_FOUND, reason),
            NotPlayed::NotNow(reason) => Self::new(StatusCode::SERVICE_UNAVAILABLE, reason),
        }
    }
}
