//! What a command and the running lab say to each other. This module imports nothing of the lab, and both ends import
//! it.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use flash_sale_testbed::postgres::Address;
use flash_sale_testbed::program_file::ProgramFile;
use flash_sale_testbed::shop_settings::ShopVariables;
use serde::{Deserialize, Serialize};

/// What a command can ask of the lab.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// What runs?
    Status,
    /// Answer when the shop is open, with or without its database, or when it has failed to open.
    WaitUntilOpen,
    /// Replace each replica by a new process of the same program, with the same variables.
    Restart,
    /// Replace each replica by a new process of the program, and with the variables, that are wanted from now on.
    Run(Wanted),
    /// Replace each replica by a process that has these variables too. When the connection closes, replace the replicas
    /// again, by processes without these variables.
    Lend(ShopVariables),
    /// As Lend, but lend distance: on the replicas' way to PostgreSQL, everything takes so many milliseconds, in each
    /// direction.
    LendDistance {
        /// The delay in each direction.
        milliseconds: u32,
    },
    /// Have the wiretap lose answers to COMMITs of purchases: PostgreSQL has committed, and the connection is cut before
    /// the replica learns it. The answer Done comes when this begins. When the connection closes, nothing is lost any
    /// more, and the answer is LostAnswers.
    LoseCommitAnswers {
        /// Of so many purchases that are committed, one loses its answer, for each replica.
        one_in: NonZeroUsize,
    },
    /// Stop the lab's own PostgreSQL, and start it again after so many seconds. The answer comes when it accepts
    /// connections.
    StopDatabase {
        /// How long it stays stopped; 0: it is started again at once.
        seconds: u32,
        /// How it is stopped.
        how: DatabaseStop,
    },
    /// Stop everything.
    Stop,
    /// Write a click of the timeline down.
    Timeline {
        /// The click with this transaction. `None`: the last purchase.
        click: Option<u64>,
        /// What is made of it.
        form: TimelineForm,
    },
}

/// The ways a click can be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimelineForm {
    /// Two columns of text.
    Text,
    /// The click's transactions, as the dashboard's API has them.
    Json,
    /// A picture.
    Svg,
}

/// What the replicas are to run from now on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Wanted {
    /// The shop's program: any that we may run. The process that asks belongs to the same user (or to root), and could
    /// start the program without us.
    pub binary: PathBuf,
    /// The variables that are set for the program. No other ones are set. Only the shop's own variables are allowed: an
    /// environment is easier to slip in than a program.
    pub variables: ShopVariables,
    /// Don't replace replicas that run just this already.
    pub only_if_changed: bool,
}

/// The ways PostgreSQL can be told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseStop {
    /// As in a crash (SIGQUIT): the next start replays the log.
    Immediate,
    /// In order (SIGINT): all sessions are ended, all is written.
    Fast,
}

/// What the lab answers: any number of lines, then one of the other events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Something was done, in words.
    Line(String),
    /// The shop is open at this URL.
    Open(String),
    /// The replicas run, but can't use their database: why, and what to do. They go on, and sell as soon as they can.
    WithoutDatabase(String),
    /// What runs.
    Status(Status),
    /// What was asked for is done.
    Done,
    /// So many answers to COMMIT were lost.
    LostAnswers(usize),
    /// It failed, for this reason.
    Failed(String),
    /// Another lab runs here.
    Busy,
    /// A click, in the form that was asked for.
    Timeline(String),
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The lab's own process.
    pub pid: u32,
    /// The shop's URL, for a person.
    pub url: String,
    /// The address at which programs of this machine reach the shop. It works also where `localhost` has no meaning.
    pub address: SocketAddr,
    /// How many connections are open through the gateway just now.
    pub connections_open: usize,
    /// How many connections the gateway keeps open at once, at most. More of them wait for their turn.
    pub most_connections: usize,
    /// How many connections the gateway has accepted since the start.
    pub connections_accepted: u64,
    /// The replicas, in the order in which they have their turn.
    pub replicas: Vec<ReplicaStatus>,
    /// The database; `None` while it starts.
    pub database: Option<DatabaseStatus>,
    /// Whether the wiretap stands between the replicas and the database. A lab that is too old to know has none.
    #[serde(default)]
    pub wiretap: bool,
    /// The dashboard's URL, for a person. `None`: there is no dashboard.
    #[serde(default)]
    pub dashboard: Option<String>,
}

/// What `lab status` says of a replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// replica-1 and so on.
    pub name: String,
    /// Its process; `None` when it has none just now.
    pub process: Option<ProcessStatus>,
    /// How many times it was started again because it had died.
    pub restarts: u32,
}

/// A replica's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Its process id.
    pub pid: u32,
    /// Where it listens.
    pub port: u16,
    /// When it started, in seconds since 1970.
    pub started_at: u64,
    /// The file that the process was started from. A build may have replaced the file since. `None`: the file was
    /// replaced while the process started, or the running lab is too old to know.
    pub program: Option<ProgramFile>,
    /// False when the process lives but doesn't answer: it is frozen, and left out of the gateway's turn.
    pub answers: bool,
}

impl ReplicaStatus {
    /// A replica whose first process starts.
    pub fn starting(name: &str) -> Self {
        Self { name: name.to_owned(), process: None, restarts: 0 }
    }
}

/// What `lab status` says of the database, and what psql needs. Never a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseStatus {
    /// The lab's own PostgreSQL.
    Private {
        /// Its first process; `None` while it is started again.
        pid: Option<u32>,
        /// Where it listens.
        address: Address,
        /// The port on 127.0.0.1 for a person's own programs.
        port: u16,
        /// The file that holds the password of user postgres.
        password_file: PathBuf,
        /// Its log.
        log: PathBuf,
    },
    /// The database that `DATABASE_URL` names.
    External,
}
