//! The checks, races, explorations and clicks in slow motion that were started from the pages. One runs at a time. The
//! last ten of each kind are kept, in memory only.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::http::StatusCode;
use chrono::{TimeDelta, Utc};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clicks::Which;
use crate::engine_messages::{EngineMessage, FinishedCheck};
use crate::find;
use crate::problem::Problem;
use crate::rooms::{Engine, Heard, Order};
use crate::run::{Run, RunKind};
use crate::source::Source;

/// So many runs of each kind are kept.
const KEPT: usize = 10;
/// The clock of the wire and that of a check differ by less.
const MARGIN: TimeDelta = TimeDelta::milliseconds(5);

/// All runs. A copy of this value shows the same.
#[derive(Clone)]
pub struct Runs(Arc<Shared>);

struct Shared {
    engine: Arc<dyn Engine>,
    source: Source,
    kept: Mutex<Kept>,
    /// Only one start at a time.
    starting: tokio::sync::Mutex<()>,
    news: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    last: u64,
    /// The oldest one comes first.
    runs: Vec<Run>,
    /// Of the run that is under way.
    stop: Option<oneshot::Sender<()>>,
}

impl Runs {
    /// No runs yet. The clicks of failed checks are looked for in `source`.
    pub fn new(engine: Arc<dyn Engine>, source: Source) -> Self {
        let (kept, starting, news) = (Mutex::default(), tokio::sync::Mutex::default(), watch::Sender::new(0));
        Self(Arc::new(Shared { engine, source, kept, starting, news }))
    }

    /// What can run.
    pub fn engine(&self) -> &dyn Engine {
        &*self.0.engine
    }

    /// Starts a run, and returns its number.
    ///
    /// # Errors
    /// When another one runs, or it can't be started.
    pub async fn start(&self, order: Order) -> Result<u64, Problem> {
        let _turn = self.0.starting.lock().await;
        if let Some(under_way) = self.under_way() {
            let (article, what) = under_way.kind().in_words();
            let detail = format!("{article} {what} runs already. Wait for its end, or stop it");
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        }
        let started = self.0.engine.start(order.clone()).await.map_err(|reason| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("It could not be started: {reason}"))
        })?;
        let number = {
            let mut kept = self.kept();
            kept.last += 1;
            let run = Run::begin(kept.last, order);
            kept.make_room_for(&run);
            kept.runs.push(run);
            kept.stop = Some(started.stop);
            kept.last
        };
        self.tell();
        tokio::spawn(self.clone().listen(number, started.heard));
        Ok(number)
    }

    /// Stops the run that is under way, if there is one.
    pub fn stop(&self) {
        let mut kept = self.kept();
        if let Some(stop) = kept.stop.take() {
            let _ = stop.send(());
            if let Some(run) = kept.runs.last_mut() {
                run.is_stopped = true;
            }
        }
        drop(kept);
        self.tell();
    }

    /// The run that is under way.
    pub fn under_way(&self) -> Option<Run> {
        self.kept().runs.last().filter(|run| run.ended_at.is_none()).cloned()
    }

    /// All runs of this kind. The newest one comes first.
    pub fn all(&self, kind: RunKind) -> Vec<Run> {
        self.kept().runs.iter().rev().filter(|run| run.kind() == kind).cloned().collect()
    }

    /// A number that changes whenever a run has something new.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.0.news.subscribe()
    }

    async fn listen(self, number: u64, mut heard: mpsc::Receiver<Heard>) {
        while let Some(heard) = heard.recv().await {
            // Found before the lock is taken: this reads many transactions.
            let click = failed_check(&heard).and_then(|finished| self.click_of(finished));
            self.change(number, |run| run.hear(heard, click));
        }
        self.kept().stop = None;
        self.change(number, |run| run.ended_at = Some(Utc::now()));
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.kept().runs.iter_mut().find(|run| run.number == number) {
            change(run);
        }
        self.tell();
    }

    /// The click of a failed check: the first one that sold more than once in the check's time, otherwise the first one
    /// that has a transaction of this time. Purchases before and after may belong to the same click.
    fn click_of(&self, finished: &FinishedCheck) -> Option<u64> {
        let time = finished.from - MARGIN..=finished.to + MARGIN;
        let (mut first, mut oversold) = (None, None);
        // The oldest click comes last here, so it stays.
        for click in find::newest(&self.0.source, Which::Purchases) {
            let in_time = || click.transactions.iter().filter(|it| time.contains(&it.began_at));
            if in_time().next().is_some() {
                first = Some(click.number);
            }
            if in_time().filter(|transaction| transaction.order_id.is_some()).count() > 1 {
                oversold = Some(click.number);
            }
        }
        oversold.or(first)
    }

    fn tell(&self) {
        self.0.news.send_modify(|count| *count += 1);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed_check(heard: &Heard) -> Option<&FinishedCheck> {
    match heard {
        Heard::Message(message) => match &**message {
            EngineMessage::Check(finished) if !finished.check.passed => Some(finished),
            _ => None,
        },
        Heard::Line(_) => None,
    }
}

impl Kept {
    fn make_room_for(&mut self, new: &Run) {
        let of_its_kind = |run: &&Run| run.kind() == new.kind();
        if self.runs.iter().filter(of_its_kind).count() >= KEPT
            && let Some(oldest) = self.runs.iter().position(|run| run.kind() == new.kind())
        {
            self.runs.remove(oldest);
        }
    }
}
