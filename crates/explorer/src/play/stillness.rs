//! When everything is still: each actor has a statement that waits at the turnstile, waits for another's lock, or is done.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::time::{sleep, timeout};

use super::Play;
use crate::actor::Actor;
use crate::schedule::{Became, Note};

/// A request that does nothing in the database for so long is no longer waited for.
const IN_THE_SHOP: Duration = Duration::from_secs(1);
/// The longest time of a step. The shop's own limits end a statement sooner.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// So often PostgreSQL is asked who waits without a pause. Were it asked without end, the asking could take the processor
/// from those who are to answer.
const HASTY_LOOKS: usize = 6;
/// Then it is asked each time that nothing has happened for so long.
const LOOK: Duration = Duration::from_millis(1);

impl Play<'_> {
    /// Waits until everything is still.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut hasty_looks = if self.others_may_block() { HASTY_LOOKS } else { 0 };
        loop {
            self.take_in_all()?;
            self.release_unused_stops().await?;
            ensure!(
                began.elapsed() < ANSWER_LIMIT,
                "PostgreSQL has worked on a statement for {} s. It neither answers nor waits for a lock",
                ANSWER_LIMIT.as_secs()
            );
            if self.is_a_session_ending().await? {
                sleep(LOOK).await;
                continue;
            }
            let (in_the_shop, pids) = (self.actors.iter().any(Actor::is_in_the_shop), self.unanswered());
            if !in_the_shop && pids.is_empty() {
                return Ok(());
            }
            if !in_the_shop && hasty_looks > 0 {
                hasty_looks -= 1;
                if self.look(&pids).await? {
                    return Ok(());
                }
                continue;
            }
            let limit = if in_the_shop { IN_THE_SHOP } else { LOOK };
            if let Ok(Some(happening)) = timeout(limit, self.stage.happenings.recv()).await {
                self.take_in(happening)?;
            } else if in_the_shop {
                self.give_up_those_in_the_shop();
            } else if self.look(&pids).await? {
                return Ok(());
            }
        }
    }

    /// Whether a session whose connection was cut still holds its locks, and will free them in a moment. One that waits
    /// for a lock itself goes on waiting.
    async fn is_a_session_ending(&mut self) -> anyhow::Result<bool> {
        if self.ending.is_empty() {
            return Ok(false);
        }
        let unanswered = self.unanswered();
        let ending: Vec<i32> = self.ending.iter().copied().filter(|pid| !unanswered.contains(pid)).collect();
        self.stage.database.have_more_to_do(&ending).await
    }

    /// A statement that was to be stopped inside, and has ended without that, needs no stop any more.
    async fn release_unused_stops(&mut self) -> anyhow::Result<()> {
        let in_flight: BTreeSet<i32> = self.unanswered().into_iter().collect();
        let unused: Vec<i32> = self.stage.stops.difference(&in_flight).copied().collect();
        for pid in unused {
            self.stage.stops.remove(&pid);
            self.stage.database.go_on(pid).await?;
        }
        Ok(())
    }

    /// The server processes that work on a statement.
    fn unanswered(&self) -> Vec<i32> {
        self.actors.iter().flat_map(|actor| &actor.in_flight).map(|flight| flight.backend_pid).collect()
    }

    /// Whether a statement in flight could wait for another actor's lock: another transaction is open.
    fn others_may_block(&self) -> bool {
        self.actors.iter().filter(|actor| !actor.open.is_empty() || !actor.in_flight.is_empty()).count() > 1
            || !self.stage.stops.is_empty()
    }

    /// Asks PostgreSQL who waits. Returns whether all statements in flight do.
    async fn look(&mut self, pids: &[i32]) -> anyhow::Result<bool> {
        let waits = self.stage.database.who_waits(pids).await?;
        // What was seen may be over already: a COMMIT that was answered meanwhile has ended a wait.
        if self.take_in_all()? {
            return Ok(false);
        }
        let own_pid = self.stage.database.own_pid();
        let mut all_wait = true;
        for flight in self.actors.iter_mut().flat_map(|actor| &mut actor.in_flight) {
            let Some(blockers) = waits.get(&flight.backend_pid) else {
                all_wait = false;
                continue;
            };
            let became = &mut self.steps[flight.step].became;
            if blockers.contains(&own_pid) {
                flight.is_stopped = true;
                self.stage.stops.remove(&flight.backend_pid);
                *became = Became::Stopped;
            } else if flight.blocked_since.is_none() {
                flight.blocked_since = Some(Instant::now());
                *became = Became::Waited;
                self.waits += 1;
            }
        }
        Ok(all_wait && !self.actors.iter().any(Actor::is_in_the_shop))
    }

    fn give_up_those_in_the_shop(&mut self) {
        for actor in self.actors.iter_mut().filter(|actor| actor.is_in_the_shop()) {
            actor.is_given_up = true;
            let note = if actor.reply.is_some() { Note::LeftOpen } else { Note::WaitedInTheShop };
            self.notes.insert(note);
        }
    }
}
