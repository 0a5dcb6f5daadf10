//! When everything is still: each actor has a statement that waits at the turnstile, waits for another's lock, or is done.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::Play;
use crate::actor::Actor;
use crate::schedule::{Became, Note};

/// A request that does nothing in the database for so long is no longer waited for.
const IN_THE_SHOP: Duration = Duration::from_secs(1);
/// A statement that can't be waiting for a lock is looked at after this time nevertheless.
const LOOK: Duration = Duration::from_millis(2);

impl Play<'_> {
    /// Waits until everything is still.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        let mut last = Instant::now();
        loop {
            if self.take_in_all()? {
                last = Instant::now();
            }
            self.release_unused_stops().await?;
            let in_the_shop = self.actors.iter().any(Actor::is_in_the_shop);
            let pids = self.unanswered();
            if !in_the_shop && (pids.is_empty() || self.look(&pids).await?) {
                return Ok(());
            }
            if in_the_shop && last.elapsed() > IN_THE_SHOP {
                self.give_up_those_in_the_shop();
                continue;
            }
            let limit = if in_the_shop { IN_THE_SHOP } else { LOOK };
            if !in_the_shop && self.others_may_block() {
                tokio::task::yield_now().await;
                continue;
            }
            if let Ok(Some(happening)) = timeout(limit, self.stage.happenings.recv()).await {
                self.take_in(happening)?;
                last = Instant::now();
            }
        }
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
        if !self.others_may_block() && !std::mem::replace(&mut self.has_looked, true) {
            return Ok(false);
        }
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
