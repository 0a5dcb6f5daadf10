//! Plays one schedule: sends the actors' requests, and lets one statement after the other go on. Between two steps it
//! waits until everything is still: each actor has a statement that waits, waits for another's lock, or is done.

mod client_leaves;
mod happenings;
mod stillness;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use flash_sale_wiretap::line::Passage;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::act::Reply;
use crate::actor::{Actor, InFlight, begins};
use crate::outcome::Outcome;
use crate::piece::Piece;
use crate::schedule::{Became, Note, Schedule, Step, trouble_at};
use crate::stage::{Happening, Stage};
use crate::trouble::TroubleKind;

/// A statement of an actor while all actors wait: PostgreSQL ends deadlocks, and long waits for locks, sooner.
const ALL_WAIT: Duration = Duration::from_secs(8);
/// The time between the beginnings of two waits.
const BETWEEN_WAITS: Duration = Duration::from_millis(5);
/// So often a buyer asks again what became of a purchase.
const QUESTIONS: usize = 5;
/// More steps than any purchase makes, repeated attempts included.
const MOST_STEPS: usize = 500;

/// What the choices are made from.
pub(crate) struct Choice<'a> {
    /// The actors that can go on, with the statement that each would go on with.
    pub can_go_on: &'a [(usize, Arc<str>, bool)],
    /// The steps so far.
    pub steps: &'a [Step],
}

impl Choice<'_> {
    /// Whether this actor can go on.
    pub fn has(&self, actor: usize) -> bool {
        self.can_go_on.iter().any(|(it, ..)| *it == actor)
    }
}

/// One play.
struct Play<'a> {
    stage: &'a mut Stage,
    piece: &'a Piece,
    actors: Vec<Actor>,
    steps: Vec<Step>,
    notes: BTreeSet<Note>,
    waits: usize,
    deadlocks: usize,
    is_troubled: bool,
    /// The server processes whose connection is cut. They hold their locks until they have ended.
    ending: BTreeSet<i32>,
}

/// Plays a schedule. `choose` is told which actors can go on, and returns the one that does.
pub(crate) async fn play(
    stage: &mut Stage,
    piece: &Piece,
    mut choose: impl FnMut(&Choice<'_>) -> anyhow::Result<usize>,
) -> anyhow::Result<Schedule> {
    play_with(stage, piece, |choice| std::future::ready(choose(choice))).await
}

/// Does the same as [`play`]. The choice may take time, and everything is still meanwhile.
pub(crate) async fn play_with<Chosen: Future<Output = anyhow::Result<usize>>>(
    stage: &mut Stage,
    piece: &Piece,
    mut choose: impl FnMut(&Choice<'_>) -> Chosen,
) -> anyhow::Result<Schedule> {
    stage.plays += 1;
    drop_late_happenings(stage);
    stage.database.begin_anew(piece).await?;
    let actors = piece.acts.iter().map(|_| Actor::default()).collect();
    let mut play = Play {
        stage,
        piece,
        actors,
        steps: Vec::new(),
        notes: BTreeSet::new(),
        waits: 0,
        deadlocks: 0,
        is_troubled: false,
        ending: BTreeSet::new(),
    };
    for actor in 0..play.actors.len() {
        play.send(actor);
        play.settle().await?;
    }
    while let Some(can_go_on) = play.wait_for_choice().await? {
        ensure!(play.steps.len() < MOST_STEPS, "the requests send more than {MOST_STEPS} statements");
        let actor = choose(&Choice { can_go_on: &can_go_on, steps: &play.steps }).await?;
        play.go_on(actor).await?;
        play.settle().await?;
    }
    play.end().await
}

/// What an earlier play has left: statements that a replica sent after its answer pass.
pub(crate) fn drop_late_happenings(stage: &mut Stage) {
    while let Ok(happening) = stage.happenings.try_recv() {
        if let Happening::AtTurnstile(_, Passage::Waiting(statement)) = happening {
            statement.pass();
        }
    }
}

impl Play<'_> {
    fn send(&mut self, actor: usize) {
        let (ask, act) = (&self.stage.asks[actor], &self.piece.acts[actor]);
        let may_leave =
            self.piece.trouble.is_some_and(|it| actor == 0 && it.kind == TroubleKind::ClientLeaves);
        let request: Pin<Box<dyn Future<Output = Reply> + Send>> = if may_leave {
            let (leave, told_to_leave) = oneshot::channel();
            self.actors[actor].leave = Some(leave);
            Box::pin(ask.send_until(act, self.piece.product, told_to_leave))
        } else {
            Box::pin(ask.send(act, self.piece.product))
        };
        let (tell, play) = (self.stage.tell.clone(), self.stage.plays);
        let request = tokio::spawn(async move {
            let reply = request.await;
            // When nobody hears it, the stage ends.
            let _ = tell.send(Happening::Replied { play, actor, reply });
        });
        self.actors[actor].is_sent = true;
        self.actors[actor].request = Some(request);
    }

    /// The actors that can go on. `None`: all are done.
    async fn wait_for_choice(&mut self) -> anyhow::Result<Option<Vec<(usize, Arc<str>, bool)>>> {
        let began = Instant::now();
        loop {
            let mut can_go_on: Vec<(usize, Arc<str>, bool)> = self
                .actors
                .iter()
                .enumerate()
                .filter_map(|(index, actor)| actor.next_sql().map(|(sql, inside)| (index, sql, inside)))
                .collect();
            if !can_go_on.is_empty() {
                self.leave_out_repeated(&mut can_go_on);
                return Ok(Some(can_go_on));
            }
            let nobody_moves = self.actors.iter().all(|actor| actor.in_flight.is_empty());
            if nobody_moves {
                return Ok(None);
            }
            ensure!(
                began.elapsed() < ALL_WAIT,
                "all requests wait for one another, and PostgreSQL ends no wait"
            );
            // Each waits for another: PostgreSQL ends a deadlock.
            if let Ok(Some(happening)) = timeout(ALL_WAIT, self.stage.happenings.recv()).await {
                self.take_in(happening)?;
                self.settle().await?;
            }
        }
    }

    /// An attempt that is repeated while nobody else has done anything has the same result as before.
    fn leave_out_repeated(&mut self, can_go_on: &mut Vec<(usize, Arc<str>, bool)>) {
        let repeats = |index: usize| self.actors[index].repeats_itself(self.steps_of_others(index));
        let kept: Vec<_> = can_go_on.iter().filter(|(index, ..)| !repeats(*index)).cloned().collect();
        if !kept.is_empty() && kept.len() < can_go_on.len() {
            *can_go_on = kept;
            self.notes.insert(Note::RepeatedAttempt);
        }
    }

    async fn go_on(&mut self, index: usize) -> anyhow::Result<()> {
        self.keep_waits_apart().await;
        let steps_of_others = self.steps_of_others(index);
        let actor = &mut self.actors[index];
        let step = self.steps.len();
        if let Some(stopped) = actor.in_flight.iter_mut().find(|flight| flight.is_stopped) {
            stopped.is_stopped = false;
            stopped.step = step;
            let (pid, sql) = (stopped.backend_pid, Arc::clone(&stopped.sql));
            self.steps.push(Step { actor: index, sql, is_inside: true, trouble: None, became: Became::Sent });
            return self.stage.database.go_on(pid).await;
        }
        let Some(mut statement) = actor.waiting.pop_front() else {
            bail!("an actor without a statement was chosen")
        };
        let trouble = trouble_at(self.piece, index, &self.steps);
        if trouble == Some(TroubleKind::ClientLeaves) && statement.is_preparing {
            statement = self.prepare(index, statement).await?;
        }
        let actor = &mut self.actors[index];
        if begins(&statement.sql) {
            actor.attempt_began_at = Some(steps_of_others);
        }
        let (backend_pid, sql) = (statement.backend_pid, Arc::clone(&statement.sql));
        let may_stop = self.piece.inside.stops(&sql);
        actor.in_flight.push(InFlight {
            connection: statement.connection,
            backend_pid,
            step,
            sql: Arc::clone(&sql),
            is_stopped: false,
            blocked_since: None,
        });
        if may_stop {
            self.stage.database.stop(backend_pid).await?;
            self.stage.stops.insert(backend_pid);
        }
        self.steps.push(Step { actor: index, sql, is_inside: false, trouble, became: Became::Sent });
        self.is_troubled |= trouble.is_some();
        if matches!(trouble, Some(TroubleKind::AnswerIsLost | TroubleKind::ConnectionBreaks)) {
            self.ending.insert(backend_pid);
        }
        match trouble {
            None => statement.pass(),
            Some(TroubleKind::AnswerIsLost) => statement.lose_answer(),
            Some(TroubleKind::ConnectionBreaks) => statement.cut(),
            Some(TroubleKind::ClientLeaves) => {
                self.leave(index).await?;
                statement.pass();
            }
        }
        Ok(())
    }

    /// How many steps the other actors have made.
    fn steps_of_others(&self, actor: usize) -> usize {
        self.steps.iter().filter(|step| step.actor != actor).count()
    }

    /// Two statements that wait for one another each have PostgreSQL look for a deadlock, and the first look ends its
    /// own statement. Were the two waits less than this time apart, it would be another one each time.
    async fn keep_waits_apart(&self) {
        let flights = self.actors.iter().flat_map(|actor| &actor.in_flight);
        let last = flights.filter_map(|flight| flight.blocked_since).max();
        let pause = last.map_or(Duration::ZERO, |last| BETWEEN_WAITS.saturating_sub(last.elapsed()));
        // A timer of zero still takes up to a millisecond.
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }

    /// Has each buyer with a key ask again what became of a purchase, until it is known. These steps are not counted.
    async fn ask_again(&mut self) -> anyhow::Result<()> {
        let steps = self.steps.len();
        for index in 0..self.actors.len() {
            for _ in 0..QUESTIONS {
                let is_open = self.actors[index].reply.as_ref().is_none_or(Reply::leaves_it_open);
                if !self.piece.acts[index].has_key() || !is_open {
                    break;
                }
                self.actors[index] = Actor::default();
                self.send(index);
                self.settle().await?;
                while let Some(can_go_on) = self.wait_for_choice().await? {
                    self.go_on(can_go_on[0].0).await?;
                    self.settle().await?;
                }
            }
        }
        self.steps.truncate(steps);
        Ok(())
    }

    async fn end(mut self) -> anyhow::Result<Schedule> {
        let left: Vec<i32> = self.actors.iter().flat_map(|actor| &actor.open).map(|(_, pid)| *pid).collect();
        if !left.is_empty() {
            self.notes.insert(Note::LeftOpen);
            self.stage.database.end_sessions(&left).await?;
        }
        if self.piece.trouble.is_some() {
            self.ask_again().await?;
            let ending: Vec<i32> = self.ending.iter().copied().collect();
            self.stage.database.end_sessions(&ending).await?;
        }
        let replies = self.actors.iter_mut().map(|actor| actor.reply.take().unwrap_or_else(Reply::none));
        let replies: Vec<Reply> = replies.collect();
        let rows = self.stage.database.rows(self.piece.product).await?;
        let mut outcome = Outcome::of(self.piece, &replies, &rows);
        (outcome.waits, outcome.deadlocks) = (self.waits, self.deadlocks);
        let (is_troubled, notes) = (self.is_troubled, self.notes.into_iter().collect());
        let dice = self.piece.dice.clone();
        Ok(Schedule { steps: self.steps, dice, replies, outcome, is_troubled, notes })
    }
}
