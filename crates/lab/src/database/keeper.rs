//! Keeps the private PostgreSQL running, at one address, because the replicas know that address. Starts it again when
//! it dies, and stops it for a while when it is told to.

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use flash_sale_testbed::guard::Signal;
use flash_sale_testbed::log_file::BETWEEN_LOOKS;
use flash_sale_testbed::postgres::{Cluster, ClusterSettings};
use flash_sale_testbed::reason::told;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::control::messages::{DatabaseStatus, DatabaseStop};
use crate::project::POSTGRES_LOG_ASIDE;

const BACK_OFF: Duration = Duration::from_secs(1);
/// How long the server's end may take: a checkpoint on a slow disk takes seconds. After that, the server is stopped as
/// at the lab's end, and then killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// A time without PostgreSQL.
pub(super) struct Outage {
    pub(super) how: DatabaseStop,
    /// The time from the server's end to its next start.
    pub(super) pause: Duration,
    /// Gets a message when the server accepts connections again.
    pub(super) reply: oneshot::Sender<()>,
}

pub(super) struct Keeper {
    pub(super) settings: ClusterSettings,
    /// The port for a person's own programs.
    pub(super) port: u16,
    pub(super) status: Arc<Mutex<DatabaseStatus>>,
    pub(super) outages: mpsc::UnboundedReceiver<Outage>,
    pub(super) stopping: CancellationToken,
}

impl Keeper {
    /// Runs until the lab stops, and then stops the server.
    pub(super) async fn run(mut self, mut cluster: Cluster) {
        let stopping = self.stopping.clone();
        loop {
            tokio::select! {
                () = stopping.cancelled() => break,
                ended = cluster.wait() => {
                    log::error!("PostgreSQL died ({})", in_words(ended));
                    match self.start_again().await {
                        Some(new) => cluster = new,
                        None => return,
                    }
                }
                () = sleep(BETWEEN_LOOKS) => keep_log_short(&cluster).await,
                Some(outage) = self.outages.recv() => {
                    self.say_stopped();
                    end(cluster, outage.how).await;
                    tokio::select! {
                        () = stopping.cancelled() => return,
                        () = sleep(outage.pause) => {}
                    }
                    match self.start_again().await {
                        Some(new) => cluster = new,
                        None => return,
                    }
                    // The command that asked may be gone.
                    let _ = outage.reply.send(());
                }
            }
        }
        if let Err(error) = cluster.stop().await {
            log::error!("PostgreSQL: {error}");
        }
    }

    /// Tries until a new server accepts connections; `None` when the lab stops meanwhile.
    async fn start_again(&self) -> Option<Cluster> {
        self.say_stopped();
        let start = async {
            loop {
                match Cluster::start(&self.settings).await {
                    Ok(cluster) => return cluster,
                    Err(error) => log::error!("{}", told(&error)),
                }
                sleep(BACK_OFF).await;
            }
        };
        let cluster = tokio::select! {
            cluster = start => cluster,
            () = self.stopping.cancelled() => return None,
        };
        log::info!("PostgreSQL runs again as process {}", cluster.pid());
        *self.status.lock() = status_of(&cluster, self.port);
        Some(cluster)
    }

    fn say_stopped(&self) {
        let mut status = self.status.lock();
        if let DatabaseStatus::Private { pid, .. } = &mut *status {
            *pid = None;
        }
    }
}

/// The database's status while this server runs.
pub(super) fn status_of(cluster: &Cluster, port: u16) -> DatabaseStatus {
    DatabaseStatus::Private {
        pid: Some(cluster.pid()),
        address: cluster.address().clone(),
        port,
        password_file: cluster.password_file(),
        log: cluster.log(),
    }
}

/// Puts the older part of a long log aside, into the folder of the logs, which is ours alone. PostgreSQL's own folder
/// may belong to another user.
async fn keep_log_short(cluster: &Cluster) {
    if let Err(error) = cluster.keep_log_short(Path::new(POSTGRES_LOG_ASIDE)).await {
        log::warn!("PostgreSQL's log is long, and a part of it could not be moved to another file: {error}");
    }
}

/// Ends the server in this way, and returns when it has ended.
async fn end(mut cluster: Cluster, how: DatabaseStop) {
    let signal = match how {
        DatabaseStop::Immediate => Signal::QUIT,
        DatabaseStop::Fast => Signal::INT,
    };
    if let Err(error) = cluster.signal(signal) {
        log::error!("PostgreSQL: {error}");
    }
    let ended = match timeout(STOP_LIMIT, cluster.wait()).await {
        Ok(ended) => ended,
        Err(_) => cluster.stop().await,
    };
    log::info!("PostgreSQL was stopped ({how:?}), and has ended ({})", in_words(ended));
}

fn in_words(ended: io::Result<ExitStatus>) -> String {
    ended.map_or_else(|error| error.to_string(), |status| status.to_string())
}
