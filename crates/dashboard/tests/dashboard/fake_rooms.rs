//! Rooms that the tests fill.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chrono::DateTime;
use flash_sale_dashboard::played::{NotPlayed, PlayOrder, Played};
use flash_sale_dashboard::shop_state::{
    BookState, BuildState, DatabaseState, GatewayState, LockState, ReplicaState, SessionsState, ShopState,
    Traffic,
};
use flash_sale_dashboard::{
    BenchReports, Engine, Heard, Order, Rooms, Scheduler, Shop, StartedRun, StrategyChoice,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

/// What the tests can change, and what they can ask for.
#[derive(Clone, Default)]
pub struct FakeRooms {
    pub shop: Arc<FakeShop>,
    pub engine: Arc<FakeEngine>,
    pub bench_reports: Arc<FakeReports>,
}

impl FakeRooms {
    pub fn rooms(&self) -> Rooms {
        Rooms {
            shop: Arc::clone(&self.shop) as Arc<dyn Shop>,
            engine: Arc::clone(&self.engine) as Arc<dyn Engine>,
            scheduler: Arc::new(NoScheduler),
            bench_reports: Arc::clone(&self.bench_reports) as Arc<dyn BenchReports>,
        }
    }
}

/// Nothing can be played.
struct NoScheduler;

impl Scheduler for NoScheduler {
    fn play(&self, _: PlayOrder) -> BoxFuture<'_, Result<Played, NotPlayed>> {
        async { Err(NotPlayed::NotNow("there is no explorer here".to_owned())) }.boxed()
    }
}

/// The benchmark's last report, or why it can't be read.
pub struct FakeReports(pub Mutex<Result<Option<String>, String>>);

impl Default for FakeReports {
    fn default() -> Self {
        Self(Mutex::new(Ok(None)))
    }
}

impl BenchReports for FakeReports {
    fn last(&self) -> BoxFuture<'_, Result<Option<String>, String>> {
        let last = self.0.lock().unwrap().clone();
        async move { last }.boxed()
    }
}

/// A shop with this state.
pub struct FakeShop {
    pub state: Mutex<ShopState>,
    pub asked: AtomicUsize,
}

impl Default for FakeShop {
    fn default() -> Self {
        Self { state: Mutex::new(state()), asked: AtomicUsize::default() }
    }
}

impl Shop for FakeShop {
    fn state(&self) -> BoxFuture<'_, ShopState> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let state = self.state.lock().unwrap().clone();
        async move { state }.boxed()
    }
}

/// An engine whose runs tell what the test wants.
#[derive(Default)]
pub struct FakeEngine {
    /// What was ordered.
    pub orders: Mutex<Vec<Order>>,
    /// Of the last run: where to tell, and whether it was told to stop.
    pub run: Mutex<Option<(mpsc::Sender<Heard>, oneshot::Receiver<()>)>>,
    /// Why nothing can be started, and why the shop can't be asked.
    pub refusal: Mutex<Option<String>>,
}

impl FakeEngine {
    /// Tells this in the name of the last run.
    pub async fn tell(&self, heard: Heard) {
        let sender = self.run.lock().unwrap().as_ref().unwrap().0.clone();
        sender.send(heard).await.unwrap();
    }

    /// Ends the last run.
    pub fn end(&self) {
        *self.run.lock().unwrap() = None;
    }

    /// Whether the last run was told to stop.
    pub fn is_told_to_stop(&self) -> bool {
        self.run.lock().unwrap().as_mut().unwrap().1.try_recv().is_ok()
    }

    fn refused(&self) -> Result<(), String> {
        self.refusal.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

impl Engine for FakeEngine {
    fn start(&self, order: Order) -> BoxFuture<'_, Result<StartedRun, String>> {
        async {
            self.refused()?;
            self.orders.lock().unwrap().push(order);
            let ((sender, heard), (stop, stopped)) = (mpsc::channel(8), oneshot::channel());
            *self.run.lock().unwrap() = Some((sender, stopped));
            Ok(StartedRun { heard, stop })
        }
        .boxed()
    }

    fn strategies(&self) -> BoxFuture<'_, Result<Vec<StrategyChoice>, String>> {
        async {
            self.refused()?;
            let choice = |name: &str, description: &str| StrategyChoice {
                name: name.to_owned(),
                description: description.to_owned(),
            };
            Ok(vec![choice("exercise", "what the shop does"), choice("nowait", "<b>gives up</b> at once")])
        }
        .boxed()
    }

    fn slow_motion_obstacle(&self) -> Option<String> {
        self.refused().err()
    }
}

/// An oversold shop, in which one session waits for another.
pub fn state() -> ShopState {
    let lock = |backend_pid, session: &str, what: &str, granted| LockState {
        backend_pid,
        session: session.to_owned(),
        what: what.to_owned(),
        mode: if granted { "RowShareLock" } else { "ShareLock" }.to_owned(),
        granted,
        waits_for: if granted { Vec::new() } else { vec![4711] },
        transaction_ms: Some(51.4),
    };
    let replica = |name: &str, pid| ReplicaState {
        name: name.to_owned(),
        pid,
        answers: pid.is_some(),
        started_at: pid.and_then(|_| DateTime::from_timestamp(1_764_000_000, 0)),
        restarts: 1,
        runs_last_build: pid.map(|_| true),
    };
    let sessions = SessionsState {
        name: "replica-1".to_owned(),
        open: 16,
        active: 2,
        idle_in_transaction: 1,
        waiting: 1,
    };
    ShopState {
        at: DateTime::from_timestamp(1_764_000_123, 0).unwrap(),
        traffic: Traffic { seconds: 10.0, purchases: 25, other_commits: 1, rolled_back: 40, lost: 2 },
        database: Some(DatabaseState {
            book: Some(BookState { title: "Sleep <soundly>".to_owned(), stock: -1, orders: 2 }),
            locks: vec![
                lock(4712, "replica-2", "end of transaction 815", false),
                lock(4711, "replica-1", "products", true),
            ],
            locks_held: 1,
            locks_awaited: 1,
            sessions: vec![sessions],
            commits: 1000,
            rollbacks: 50,
            deadlocks: 3,
        }),
        database_away: None,
        replicas: vec![replica("replica-1", Some(100)), replica("replica-2", None)],
        gateway: GatewayState { connections_open: 3, connections_at_most: 500, connections_accepted: 77 },
        build: BuildState::UpToDate,
    }
}
