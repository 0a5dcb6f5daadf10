//! What the dashboard asks of the program that serves it. Each page that shows more than transactions has a trait here,
//! and the lab implements it.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::engine_messages::EngineMessage;
use crate::explore_order::ExploreOrder;
use crate::played::{NotPlayed, PlayOrder, Played};
use crate::shop_state::ShopState;

/// The running shop, for the page State.
pub trait Shop: Send + Sync {
    /// What is known of the shop just now. This has a time limit, and it never fails: where a part can't be asked, the
    /// state says so.
    fn state(&self) -> BoxFuture<'_, ShopState>;
}

/// What runs checks, races, explorations and clicks in slow motion, for the pages Verdict, Race, Explore and Slow motion.
pub trait Engine: Send + Sync {
    /// Starts what is ordered.
    ///
    /// # Errors
    /// When it can't be started: the reason, for a page.
    fn start(&self, order: Order) -> BoxFuture<'_, Result<StartedRun, String>>;

    /// The strategies that can race.
    ///
    /// # Errors
    /// When the shop can't be asked: the reason, for a page.
    fn strategies(&self) -> BoxFuture<'_, Result<Vec<StrategyChoice>, String>>;

    /// Why nobody can click in slow motion here, and what to do instead, for a page. `None`: it is possible.
    fn slow_motion_obstacle(&self) -> Option<String> {
        None
    }
}

/// What plays the steps of two purchases as they are wanted, for the pages of a schedule and the page Scheduler.
pub trait Scheduler: Send + Sync {
    /// Plays these steps, from the beginning. This has a time limit.
    ///
    /// # Errors
    /// When a step is not possible, or nothing can be played just now.
    fn play(&self, order: PlayOrder) -> BoxFuture<'_, Result<Played, NotPlayed>>;
}

/// The reports of the benchmark, for the page Benchmark.
pub trait BenchReports: Send + Sync {
    /// The last report that `make bench` has kept, as JSON. `None`: there is none.
    ///
    /// # Errors
    /// When it can't be read: the reason, for a page.
    fn last(&self) -> BoxFuture<'_, Result<Option<String>, String>>;
}

/// What is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// `make check`
    Check,
    /// `make race`
    Race(RaceOrder),
    /// Two purchases, in every order of their statements.
    Explore(ExploreOrder),
    /// One click, while payments take seconds.
    SlowMotion,
}

/// How to race.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaceOrder {
    /// The names of the strategies.
    pub strategies: Vec<String>,
    /// Copies in each round.
    pub copies: u32,
    /// Buyers in each round.
    pub buyers: u16,
    /// Rounds for each strategy.
    pub rounds: u16,
    /// How long a payment takes, in milliseconds.
    pub window_ms: u16,
}

/// Something that was ordered, and runs.
#[derive(Debug)]
pub struct StartedRun {
    /// What it tells. It is closed when everything has ended.
    pub heard: mpsc::Receiver<Heard>,
    /// Stops it. It takes everything back before it ends.
    pub stop: oneshot::Sender<()>,
}

/// What a run tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A message.
    Message(Box<EngineMessage>),
    /// A line for a person, for example a compiler's message, or why there is no verdict.
    Line(String),
}

/// A strategy that can race, and can be explored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyChoice {
    /// Its name.
    pub name: String,
    /// How it sells, in a line.
    pub description: String,
}

/// Everything that the pages ask.
#[derive(Clone)]
pub struct Rooms {
    /// For the page State, and for `/metrics`.
    pub shop: Arc<dyn Shop>,
    /// For the pages Verdict, Race, Explore and Slow motion.
    pub engine: Arc<dyn Engine>,
    /// For the pages of a schedule, and the page Scheduler.
    pub scheduler: Arc<dyn Scheduler>,
    /// For the page Benchmark.
    pub bench_reports: Arc<dyn BenchReports>,
}

impl fmt::Debug for Rooms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Rooms").finish_non_exhaustive()
    }
}
