//! Runs a private PostgreSQL on a port of 127.0.0.1. Start with [`Cluster::start`].

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sea_orm::sqlx::{Connection, Executor};
use tokio::time::sleep;

use super::fetch::find_or_fetch;
use super::initialize::{ClusterFiles, initialize};
use super::place::{Place, prepare};
use super::programs::Programs;
use super::stale::remove_stale_pid_file;
use crate::guard::{Guarded, GuardedCommand, Signal};
use crate::log_file;
use crate::port::free_port;

/// The replicas' pools, a test's own connections, and room to look around with psql.
pub const MAX_CONNECTIONS: u32 = 200;
/// A server that was killed replays its log first.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Fast shutdown takes milliseconds; a checkpoint on a slow disk, seconds.
const STOP_GRACE: Duration = Duration::from_secs(30);
const PORT_ATTEMPTS: usize = 5;
const POLL: Duration = Duration::from_millis(10);

/// What a crash of the machine may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: PostgreSQL's defaults, because this system shows what those cost.
    Durable,
    /// Everything: for tests, which end with their data.
    Disposable,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Where its files go, from [`prepare`].
    pub place: Place,
    /// What runs it.
    pub programs: Programs,
    /// What a crash may cost.
    pub durability: Durability,
    /// The most sessions at once.
    pub max_connections: u32,
    /// The port to listen on; any free one when `None`.
    pub port: Option<u16>,
    /// Removes the place when the server ends.
    pub remove_afterwards: bool,
}

/// A running PostgreSQL. Dropping it stops it; so does our death.
pub struct Cluster {
    server: Guarded,
    files: ClusterFiles,
    port: u16,
    password: String,
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
        log.set_len(0)?;
        initialize(&files, settings, &log).await?;
        remove_stale_pid_file(&files.data())?;
        let password = fs::read_to_string(files.password())
            .with_context(|| format!("can't read {}", files.password().display()))?;

        for _ in 0..PORT_ATTEMPTS {
            let port = settings.port.map_or_else(free_port, Ok)?;
            let server = server_command(settings, &files, port).start(log.try_clone()?).await?;
            let mut cluster = Self { server, files: files.clone(), port, password: password.clone() };
            match cluster.wait_until_ready().await {
                Ok(()) => return Ok(cluster),
                Err(error) if !error.to_string().contains("could not bind") => return Err(error),
                Err(_) => log.set_len(0)?,
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
                bail!("PostgreSQL did not start ({status}):\n{}", log_file::tail(&self.log(), 20));
            }
            // Its own word first: a connection that comes too early costs the log a line.
            if says_ready(&self.files.data()) && self.connect("postgres").await.is_ok() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let limit = START_LIMIT.as_secs();
                bail!("PostgreSQL was not ready in {limit} s:\n{}", log_file::tail(&self.log(), 20));
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

impl ClusterSettings {
    /// A place in `wanted`, and programs that suit what is there; where the machine has none, they are fetched
    /// into `programs`.
    ///
    /// # Errors
    /// When there is no such place, or there are no programs: what to do.
    pub fn find(
        wanted: &Path,
        programs: &Path,
        durability: Durability,
        say: &dyn Fn(&str),
    ) -> anyhow::Result<Self> {
        let place = prepare(wanted)?;
        let version = ClusterFiles { place: place.clone() }.major_version();
        let programs = find_or_fetch(programs, version.as_deref(), say)?;
        Ok(Self {
            place,
            programs,
            durability,
            max_connections: MAX_CONNECTIONS,
            port: None,
            remove_afterwards: false,
        })
    }
}
