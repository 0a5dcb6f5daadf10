//! Runs a private PostgreSQL on a port of 127.0.0.1. Start with [`Cluster::start`].

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sea_orm::sqlx::{Connection, Executor};
use tokio::time::sleep;

use super::initialize::{ClusterFiles, initialize};
use super::settings::{ClusterSettings, Durability};
use super::stale::remove_stale_pid_file;
use crate::guard::{Guarded, GuardedCommand, Signal};
use crate::log_file;
use crate::port::free_port;

/// A server that was killed replays its log first.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Fast shutdown takes milliseconds; a checkpoint on a slow disk, seconds.
const STOP_GRACE: Duration = Duration::from_secs(30);
/// A log that has grown longer is emptied at the next start.
const LOG_LIMIT_BYTES: u64 = 1024 * 1024;
const PORT_ATTEMPTS: usize = 5;
const POLL: Duration = Duration::from_millis(10);

/// A running PostgreSQL. Dropping it stops it; so does our death.
pub struct Cluster {
    server: Guarded,
    files: ClusterFiles,
    port: u16,
    password: String,
    log_start: u64,
}

impl Cluster {
    /// Makes the data folder when there is none, starts the server and waits until it answers. Waits first
    /// for a server that still runs in this folder.
    ///
    /// # Errors
    /// When it can't start: the end of its log.
    pub async fn start(settings: &ClusterSettings) -> anyhow::Result<Self> {
        let files = ClusterFiles { place: settings.place.clone() };
        // The server and all its processes have this file as their standard error, and so share the lock.
        let log = log_file::lock(&files.log()).await.context("PostgreSQL")?;
        if log.metadata()?.len() > LOG_LIMIT_BYTES {
            log.set_len(0)?;
        }
        initialize(&files, settings, &log).await?;
        remove_stale_pid_file(&files.data())?;
        let password = fs::read_to_string(files.password())
            .with_context(|| format!("can't read {}", files.password().display()))?;

        for _ in 0..PORT_ATTEMPTS {
            let port = settings.port.map_or_else(free_port, Ok)?;
            let log_start = log.metadata()?.len();
            let server = server_command(settings, &files, port).start(log.try_clone()?).await?;
            let mut cluster =
                Self { server, files: files.clone(), port, password: password.clone(), log_start };
            match cluster.wait_until_ready().await {
                Ok(()) => return Ok(cluster),
                Err(error) if !error.to_string().contains("could not bind") => return Err(error),
                Err(_) => {}
            }
        }
        bail!("PostgreSQL could not get a port in {PORT_ATTEMPTS} attempts")
    }

    /// The URL of one of its databases. It holds the password: don't show it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/{database}?sslmode=disable", self.password, self.port)
    }

    /// Makes a database unless it is there.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn ensure_database(&self, database: &str) -> anyhow::Result<()> {
        let mut connection = self.connect("postgres").await?;
        let sql = "SELECT FROM pg_database WHERE datname = $1";
        let found = sea_orm::sqlx::query(sql).bind(database).fetch_optional(&mut connection).await?;
        if found.is_none() {
            let create = format!(r#"CREATE DATABASE "{database}""#);
            connection.execute(sea_orm::sqlx::AssertSqlSafe(create)).await?;
        }
        connection.close().await?;
        Ok(())
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its first process, the postmaster.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The file that holds the password.
    pub fn password_file(&self) -> PathBuf {
        self.files.password()
    }

    /// Its log.
    pub fn log(&self) -> PathBuf {
        self.files.log()
    }

    /// Sends its first process a signal.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn signal(&mut self, signal: Signal) -> std::io::Result<()> {
        self.server.signal(signal)
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.server.wait().await
    }

    /// Ends all sessions, stops the server and waits for its end.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn stop(self) -> std::io::Result<ExitStatus> {
        self.server.stop().await
    }

    fn log_tail(&self) -> String {
        log_file::tail_after(&self.log(), self.log_start, 20)
    }

    async fn connect(&self, database: &str) -> Result<PgConnection, sea_orm::sqlx::Error> {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username("postgres")
            .password(&self.password)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
            .application_name("lab");
        PgConnection::connect_with(&options).await
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = self.server.try_wait()? {
                bail!("PostgreSQL did not start ({status}):\n{}", self.log_tail());
            }
            // Its own word first: a connection that comes too early costs the log a line.
            if says_ready(&self.files.data()) && self.connect("postgres").await.is_ok() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let limit = START_LIMIT.as_secs();
                bail!("PostgreSQL was not ready in {limit} s:\n{}", self.log_tail());
            }
            sleep(POLL).await;
        }
    }
}

fn server_command(settings: &ClusterSettings, files: &ClusterFiles, port: u16) -> GuardedCommand {
    let mut options = vec![
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        "unix_socket_directories=".to_owned(),
        format!("max_connections={}", settings.max_connections),
        "logging_collector=off".to_owned(),
    ];
    if settings.durability == Durability::Disposable {
        let without = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];
        options.extend(without.map(str::to_owned));
    }
    let command = GuardedCommand::new(settings.programs.postgres())
        .args([Path::new("-D"), &files.data()])
        .args(options.iter().flat_map(|option| ["-c", option]))
        .directory("/")
        .user(settings.place.user)
        .stop_with(Signal::INT, STOP_GRACE);
    if settings.remove_afterwards { command.remove_afterwards(&settings.place.folder) } else { command }
}

/// Line 8 of postmaster.pid: "starting", "ready", "stopping".
fn says_ready(data: &Path) -> bool {
    let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    text.lines().nth(7).is_some_and(|state| state.trim() == "ready")
}
