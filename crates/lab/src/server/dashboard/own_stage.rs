//! The explorer for the dashboard: explores, and plays single schedules. Its PostgreSQL and its replicas are started when
//! a page needs them, and end when no page has needed them for a minute.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use flash_sale_dashboard::played::{NotPlayed, PlayOrder, Played};
use flash_sale_dashboard::{EXERCISE, ExploreOrder, Scheduler};
use flash_sale_explorer::{ExploreOptions, HandPlay, NotPossible, Stage};
use flash_sale_testbed::program_file::ProgramFile;
use flash_sale_testbed::reason::told;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{sleep, timeout};

use super::newer_sources;
use crate::explore::played::shown;
use crate::{project, stage};

/// Two buyers.
const ACTORS: usize = 2;
/// A stage that nobody has used for so long is closed.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// How often this is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// A page waits for so long until another page's play, or an exploration, has ended.
const TURN_LIMIT: Duration = Duration::from_secs(5);
/// For one play, and for the start of what it needs.
const PLAY_LIMIT: Duration = Duration::from_secs(40);
/// An exploration ends after this time, complete or not.
const EXPLORE_LIMIT: Duration = Duration::from_secs(30);

/// The stage, while there is one.
#[derive(Clone)]
pub struct OwnStage {
    /// The shop's program that the lab was started with. A build puts a new file in its place.
    binary: PathBuf,
    kept: Arc<Mutex<Option<KeptStage>>>,
}

/// A stage that is ready.
pub(super) struct KeptStage {
    pub(super) stage: Stage,
    built: ProgramFile,
    used_at: Instant,
}

/// The only one who uses the stage.
pub(super) type StageTurn<'a> = MutexGuard<'a, Option<KeptStage>>;

impl OwnStage {
    /// No stage yet. Its replicas will run this program.
    pub fn new(binary: PathBuf) -> Self {
        let kept = Arc::default();
        let own = Self { binary, kept };
        tokio::spawn(close_when_unused(Arc::downgrade(&own.kept)));
        own
    }

    /// Ends all that runs.
    pub async fn close(&self) {
        self.kept.lock().await.take();
    }

    /// Waits until nobody else uses the stage.
    ///
    /// # Errors
    /// When that takes too long.
    pub(super) async fn take_turn(&self) -> anyhow::Result<StageTurn<'_>> {
        let turn = timeout(TURN_LIMIT, self.kept.lock()).await;
        turn.ok().context("an exploration runs. Wait for its end, or stop it: Explore")
    }

    /// A stage whose replicas run what is built now. It is taken out: a stage that is given up in the middle of a play is
    /// of no use any more.
    pub(super) async fn ready(&self, turn: &mut StageTurn<'_>) -> anyhow::Result<KeptStage> {
        let built =
            ProgramFile::at(&self.binary).context("the shop's program is gone. Build it: make build")?;
        if let Some(kept) = turn.take().filter(|kept| kept.built == built) {
            return Ok(kept);
        }
        let mut settings = stage::settings(&self.binary, ACTORS)?;
        // A command may explore at the same time.
        settings.folder = project::DASHBOARD.into();
        let stage = Stage::open(&settings).await?;
        Ok(KeptStage { stage, built, used_at: Instant::now() })
    }

    /// Keeps the stage for the next page.
    pub(super) fn keep(turn: &mut StageTurn<'_>, kept: KeptStage) {
        **turn = Some(KeptStage { used_at: Instant::now(), ..kept });
    }

    /// The shop's sources that have changed since its program was built.
    pub(super) fn newer_sources(&self) -> Vec<String> {
        newer_sources::than(&self.binary)
    }

    async fn play(&self, order: &PlayOrder) -> anyhow::Result<Played> {
        let mut turn = self.take_turn().await?;
        let mut kept = self.ready(&mut turn).await?;
        let PlayOrder { purchases, steps, fixed, is_to_the_end } = order;
        let wanted = HandPlay { steps: steps.clone(), fixed: *fixed, is_to_the_end: *is_to_the_end };
        let played = kept.stage.play_by_hand(&options(purchases), &wanted).await;
        // A step that was not possible leaves a stage that is still good.
        if played.as_ref().err().is_none_or(|error| error.is::<NotPossible>()) {
            Self::keep(&mut turn, kept);
        }
        let played = played?;
        if played.looks.is_empty() {
            bail!("the purchases sent nothing to PostgreSQL");
        }
        Ok(Played { newer_sources: self.newer_sources(), ..shown(played) })
    }
}

impl Scheduler for OwnStage {
    fn play(&self, order: PlayOrder) -> BoxFuture<'_, Result<Played, NotPlayed>> {
        async move {
            match timeout(PLAY_LIMIT, self.play(&order)).await {
                Ok(Ok(played)) => Ok(played),
                Ok(Err(error)) if error.is::<NotPossible>() => Err(NotPlayed::NotPossible(error.to_string())),
                Ok(Err(error)) => Err(NotPlayed::NotNow(told(&error))),
                Err(_) => Err(NotPlayed::NotNow(format!("it was not done in {} s", PLAY_LIMIT.as_secs()))),
            }
        }
        .boxed()
    }
}

/// Two such purchases, whole statements, all schedules.
pub fn options(purchases: &ExploreOrder) -> ExploreOptions {
    let strategy = (purchases.strategy != EXERCISE).then_some(purchases.strategy.as_str());
    let options = ExploreOptions::of_purchases(strategy, ACTORS, purchases.copies);
    ExploreOptions { time_limit: EXPLORE_LIMIT, ..options }
}

async fn close_when_unused(kept: std::sync::Weak<Mutex<Option<KeptStage>>>) {
    loop {
        sleep(BETWEEN_LOOKS).await;
        let Some(kept) = kept.upgrade() else { return };
        // While it is used, it is not closed.
        let Ok(mut turn) = kept.try_lock() else { continue };
        if turn.as_ref().is_some_and(|stage| stage.used_at.elapsed() > KEPT_FOR) {
            turn.take();
        }
    }
}
