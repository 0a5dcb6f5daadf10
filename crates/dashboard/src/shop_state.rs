//! What is known of the running shop at one moment. It is the JSON of `GET /api/state`, too.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// The running shop at one moment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShopState {
    /// The moment.
    pub at: DateTime<Utc>,
    /// What the wire has seen in the last seconds.
    pub traffic: Traffic,
    /// What PostgreSQL says. `null`: it did not answer.
    pub database: Option<DatabaseState>,
    /// Why PostgreSQL did not answer.
    #[schema(example = "connection refused")]
    pub database_away: Option<String>,
    /// The replicas, in the order in which they have their turn.
    pub replicas: Vec<ReplicaState>,
    /// The gateway.
    pub gateway: GatewayState,
    /// Whether the replicas run what the files say.
    pub build: BuildState,
}

/// Transactions that may write, and that ended in the last seconds, as the wire between the replicas and PostgreSQL saw
/// them. Health checks and pages, which only read, are not counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Traffic {
    /// The seconds that are counted: ten, or fewer when more transactions ended than are kept.
    #[schema(example = 10.0)]
    pub seconds: f64,
    /// Transactions that committed an order. One that sells to several buyers counts once.
    pub purchases: usize,
    /// Transactions that committed something else, for example a reset.
    pub other_commits: usize,
    /// Transactions that were rolled back. The buyer came too late, or there was an error.
    pub rolled_back: usize,
    /// Transactions whose connection ended before PostgreSQL said how they ended.
    pub lost: usize,
}

/// What PostgreSQL says.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DatabaseState {
    /// The book on sale. `null`: the shop is empty.
    pub book: Option<BookState>,
    /// Locks on tables and rows of other sessions, awaited ones first. At most 200.
    pub locks: Vec<LockState>,
    /// How many of these locks there are.
    pub locks_held: u64,
    /// How many are awaited.
    pub locks_awaited: u64,
    /// The sessions, by the name that their program gave.
    pub sessions: Vec<SessionsState>,
    /// Transactions that PostgreSQL has committed in this database since its statistics began.
    pub commits: u64,
    /// Transactions that it has rolled back since then.
    pub rollbacks: u64,
    /// Deadlocks that it has broken up since then.
    pub deadlocks: u64,
}

/// The book on sale.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BookState {
    /// Its title.
    pub title: String,
    /// Copies in stock. Less than nothing when more were sold than there were.
    #[schema(example = 1)]
    pub stock: i64,
    /// Its orders.
    #[schema(example = 0)]
    pub orders: u64,
}

/// A lock that a session holds or waits for (`pg_locks`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LockState {
    /// The session's process in PostgreSQL.
    #[schema(example = 4711)]
    pub backend_pid: i32,
    /// The name that the session's program gave: that of the replica.
    #[schema(example = "replica-1")]
    pub session: String,
    /// What is locked: a table, or `row of products`, or the end of another transaction.
    #[schema(example = "products")]
    pub what: String,
    /// The mode, in PostgreSQL's words.
    #[schema(example = "RowExclusiveLock")]
    pub mode: String,
    /// Whether the session has it. `false`: it waits.
    pub granted: bool,
    /// The processes that it waits for.
    pub waits_for: Vec<i32>,
    /// How long the session's transaction has been open.
    pub transaction_ms: Option<f64>,
}

/// The sessions of one program.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionsState {
    /// The name that the program gave: that of the replica.
    #[schema(example = "replica-1")]
    pub name: String,
    /// All of its sessions.
    pub open: u64,
    /// Those that work on a statement.
    pub active: u64,
    /// Those in a transaction that do nothing just now.
    pub idle_in_transaction: u64,
    /// Those that wait for a lock.
    pub waiting: u64,
}

/// A replica.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReplicaState {
    /// Its name.
    #[schema(example = "replica-1")]
    pub name: String,
    /// Its process. `null`: it has none just now.
    pub pid: Option<u32>,
    /// Whether its process answers.
    pub answers: bool,
    /// When its process started.
    pub started_at: Option<DateTime<Utc>>,
    /// How many times it was started again because it had died.
    pub restarts: u32,
    /// Whether its process runs the program that was built last. `null`: nobody knows.
    pub runs_last_build: Option<bool>,
}

/// The gateway.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct GatewayState {
    /// Connections that are open.
    pub connections_open: usize,
    /// How many may be open at once.
    pub connections_at_most: usize,
    /// Connections that were accepted since the start.
    pub connections_accepted: u64,
}

/// Whether the replicas run what the files say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum BuildState {
    /// All replicas run the program that was built last, and no source is newer.
    UpToDate,
    /// A replica runs an older program than the one that was built last.
    Outdated,
    /// These sources are newer than the program. At most three are named.
    NotBuilt {
        /// Their paths.
        sources: Vec<String>,
    },
    /// There is no program, or it can't be looked at.
    Unknown,
}

impl Traffic {
    /// Orders that were committed, each second.
    pub fn purchases_per_second(&self) -> f64 {
        self.per_second(self.purchases)
    }

    /// So many, each second.
    pub fn per_second(&self, count: usize) -> f64 {
        if self.seconds > 0.0 { count as f64 / self.seconds } else { 0.0 }
    }
}
