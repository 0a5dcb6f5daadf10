//! The lab's database: the one of `DATABASE_URL`, or a private PostgreSQL, which is kept running.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, Connection};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::control::DatabaseStop;
use crate::guard::Signal;
use crate::postgres::settings::MAX_CONNECTIONS;
use crate::postgres::{Cluster, ClusterSettings, Durability};
use crate::progress::Progress;
use crate::project;
use crate::settings::LabSettings;

/// The shop's database in the private PostgreSQL.
pub const DATABASE_NAME: &str = "flash_sale";

const ANSWER_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(250);
const BACK_OFF: Duration = Duration::from_secs(1);

/// What `lab status` says of the database, and what psql needs. Never a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseStatus {
    /// The lab's own PostgreSQL.
    Private {
        /// Its first process; `None` while it is started again.
        pid: Option<u32>,
        /// The port on 127.0.0.1.
        port: u16,
        /// The file that holds the password of user postgres.
        password_file: PathBuf,
        /// Its log.
        log: PathBuf,
    },
    /// The one of `DATABASE_URL`.
    External,
}

/// A database that answers.
pub struct Database {
    url: String,
    status: Arc<Mutex<DatabaseStatus>>,
    stopping: CancellationToken,
    keeper: Mutex<Option<JoinHandle<()>>>,
    stops: mpsc::UnboundedSender<Stop>,
}

/// For how many seconds, how, and whom to tell when it runs again.
type Stop = (u32, DatabaseStop, oneshot::Sender<()>);

impl Database {
    /// Starts the private PostgreSQL, or waits for the other one.
    ///
    /// # Errors
    /// When it doesn't start or answer: why.
    pub async fn open(settings: &LabSettings, progress: &Arc<Progress>) -> anyhow::Result<Self> {
        let stopping = CancellationToken::new();
        let (stops, told) = mpsc::unbounded_channel();
        if let Some(url) = &settings.database_url {
            wait_for_answer(url, progress).await?;
            let status = Arc::new(Mutex::new(DatabaseStatus::External));
            return Ok(Self { url: url.clone(), status, stopping, keeper: Mutex::new(None), stops });
        }

        progress.say("PostgreSQL: starting…");
        let say = Arc::clone(progress);
        // On a thread of its own: it may have to install PostgreSQL, and others want to be answered meanwhile.
        let find = move || {
            let (place, programs) = (Path::new(project::POSTGRES), Path::new(project::PROGRAMS));
            ClusterSettings::find(place, programs, Durability::Durable, &|line| say.say(line))
        };
        let mut cluster_settings = tokio::task::spawn_blocking(find).await??;
        // During a rolling restart there is one replica more.
        cluster_settings.max_connections =
            MAX_CONNECTIONS.max((settings.replicas + 1) * settings.pool_size + 50);

        let cluster = Cluster::start(&cluster_settings).await?;
        cluster.ensure_database(DATABASE_NAME).await?;
        progress.say("PostgreSQL ready");
        cluster_settings.port = Some(cluster.port());
        let status = Arc::new(Mutex::new(status_of(&cluster)));
        let url = cluster.url(DATABASE_NAME);
        let keeper = keep_running(cluster, cluster_settings, Arc::clone(&status), stopping.clone(), told);
        Ok(Self { url, status, stopping, keeper: Mutex::new(Some(tokio::spawn(keeper))), stops })
    }

    /// How to reach it. It holds the password: don't show it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What to show of it.
    pub fn status(&self) -> DatabaseStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops the private PostgreSQL for so long; returns when it runs again.
    ///
    /// # Errors
    /// When there is none.
    pub async fn stop_for(&self, seconds: u32, how: DatabaseStop) -> anyhow::Result<()> {
        let (reply, answer) = oneshot::channel();
        self.stops.send((seconds, how, reply)).ok().context("the lab doesn't run this PostgreSQL")?;
        answer.await.context("the lab is stopping")
    }

    /// Stops the private PostgreSQL, and waits for its end. The other one stays.
    pub async fn stop(&self) {
        self.stopping.cancel();
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper {
            let _ = keeper.await;
        }
    }
}

fn status_of(cluster: &Cluster) -> DatabaseStatus {
    DatabaseStatus::Private {
        pid: Some(cluster.pid()),
        port: cluster.port(),
        password_file: cluster.password_file(),
        log: cluster.log(),
    }
}

/// Starts the server again when it dies, on the same port: the replicas know that one.
async fn keep_running(
    first: Cluster,
    settings: ClusterSettings,
    status: Arc<Mutex<DatabaseStatus>>,
    stopping: CancellationToken,
    mut stops: mpsc::UnboundedReceiver<Stop>,
) {
    let mut running = Some(first);
    let mut waiting: Option<oneshot::Sender<()>> = None;
    loop {
        let Some(cluster) = &mut running else {
            tokio::select! {
                started = Cluster::start(&settings) => match started {
                    Ok(cluster) => {
                        log::info!("PostgreSQL runs again as process {}", cluster.pid());
                        *status.lock().unwrap_or_else(PoisonError::into_inner) = status_of(&cluster);
                        running = Some(cluster);
                        if let Some(reply) = waiting.take() {
                            let _ = reply.send(());
                        }
                    }
                    Err(error) => {
                        log::error!("{error:#}");
                        sleep(BACK_OFF).await;
                    }
                },
                () = stopping.cancelled() => return,
            }
            continue;
        };
        tokio::select! {
            ended = cluster.wait() => {
                let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                log::error!("PostgreSQL died ({how})");
                if let DatabaseStatus::Private { pid, .. } =
                    &mut *status.lock().unwrap_or_else(PoisonError::into_inner)
                {
                    *pid = None;
                }
                running = None;
            }
            Some((seconds, how, reply)) = stops.recv() => {
                let signal = match how {
                    DatabaseStop::Immediate => Signal::QUIT,
                    DatabaseStop::Fast => Signal::INT,
                };
                let _ = cluster.signal(signal);
                let _ = cluster.wait().await;
                log::info!("PostgreSQL stopped for {seconds} s, as told");
                running = None;
                waiting = Some(reply);
                tokio::select! {
                    () = sleep(Duration::from_secs(seconds.into())) => {}
                    () = stopping.cancelled() => break,
                }
            }
            () = stopping.cancelled() => break,
        }
    }
    if let Some(cluster) = running
        && let Err(error) = cluster.stop().await
    {
        log::error!("PostgreSQL: {error}");
    }
}

/// An answer that says no (a wrong password, no such database) ends the wait at once.
async fn wait_for_answer(url: &str, progress: &Progress) -> anyhow::Result<()> {
    let deadline = Instant::now() + ANSWER_LIMIT;
    let mut said = false;
    loop {
        let error = match timeout(Duration::from_secs(5), PgConnection::connect(url)).await {
            Ok(Ok(connection)) => {
                return connection.close().await.context("DATABASE_URL: the database failed");
            }
            Ok(Err(error)) if is_final(&error) => return Err(error).context("DATABASE_URL"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        if Instant::now() > deadline {
            let limit = ANSWER_LIMIT.as_secs();
            bail!(
                "DATABASE_URL: no database answered in {limit} s: {error}. Start it, or unset DATABASE_URL"
            );
        }
        if !std::mem::replace(&mut said, true) {
            progress.say("waiting for the database of DATABASE_URL…");
        }
        sleep(POLL).await;
    }
}

fn is_final(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Configuration(_) => true,
        // 57P03: it is starting up. 53300: too many connections.
        sqlx::Error::Database(error) => {
            !error.code().is_some_and(|code| code.starts_with("57") || code.starts_with("53"))
        }
        _ => false,
    }
}
