//! One replica as a process: started on a free port, watched until it is ready.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::guard::{Guarded, GuardedCommand, Signal};
use crate::http::answers_ok;
use crate::log_file;
use crate::port::free_port;
use crate::project;
use crate::settings::ShopVariables;

const START_LIMIT: Duration = Duration::from_secs(15);
/// How long a process that lives may wait for the database before it takes its turn without.
const DATABASE_LIMIT: Duration = Duration::from_secs(5);
/// Longer than any purchase may take: its waits for locks and statements are limited to a few seconds.
pub const STOP_GRACE: Duration = Duration::from_secs(20);
const PORT_ATTEMPTS: usize = 5;
const POLL: Duration = Duration::from_millis(10);

/// What all replicas share.
#[derive(Clone, Debug)]
pub struct ShopProgram {
    /// The shop's binary.
    pub binary: PathBuf,
    /// The project's static/.
    pub static_folder: PathBuf,
    /// `DATABASE_URL`, with the role of the shop and its password.
    pub database_url: String,
    /// Where a checkout client posts its orders.
    pub order_api_url: String,
}

/// A running replica.
pub struct ShopProcess {
    process: Guarded,
    /// Where it listens.
    pub address: SocketAddr,
    /// Since when.
    pub started: Instant,
    name: String,
    log_start: u64,
}

impl ShopProcess {
    /// Starts one that isn't ready yet.
    ///
    /// # Errors
    /// When no process can be started.
    pub async fn spawn(program: &ShopProgram, name: &str, variables: &ShopVariables) -> anyhow::Result<Self> {
        let port = free_port()?;
        let path = project::replica_log(name);
        let log = log_file::open(&path).with_context(|| format!("can't open {}", path.display()))?;
        // Shared: during a rolling restart, two processes write to it.
        log.lock_shared().with_context(|| format!("can't lock {}", path.display()))?;
        let log_start = log.metadata()?.len();
        let own = [
            ("DATABASE_URL", program.database_url.clone()),
            ("HOST", Ipv4Addr::LOCALHOST.to_string()),
            ("PORT", port.to_string()),
            ("REPLICA_NAME", name.to_owned()),
            ("ORDER_API_URL", program.order_api_url.clone()),
            ("STATIC_DIR", program.static_folder.display().to_string()),
        ];
        let process = GuardedCommand::new(&program.binary)
            .envs(own)
            .envs(variables)
            .stop_with(Signal::TERM, STOP_GRACE)
            .start(log)
            .await
            .with_context(|| format!("can't start {}", program.binary.display()))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self { process, address, started: Instant::now(), name: name.to_owned(), log_start })
    }

    /// Waits until it answers that it is ready; when it lives and the database doesn't answer it, a few
    /// seconds at most.
    ///
    /// # Errors
    /// When it ends or doesn't answer: the end of its log.
    pub async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        let mut alive_since = None;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended while it started ({status}):\n{}", self.name, self.log_tail());
            }
            if self.answers("/ready").await {
                return Ok(());
            }
            if alive_since.is_none() && self.answers("/health").await {
                alive_since = Some(Instant::now());
            }
            if alive_since.is_some_and(|since| since.elapsed() > DATABASE_LIMIT) {
                log::warn!("{} can't reach the database, and takes its turn without", self.name);
                return Ok(());
            }
            sleep(POLL).await;
        }
        bail!("{} did not answer in {} s:\n{}", self.name, START_LIMIT.as_secs(), self.log_tail())
    }

    async fn answers(&self, path: &str) -> bool {
        answers_ok(&format!("http://{}{path}", self.address)).await
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// Has it answer what it has accepted, and waits for its end.
    pub async fn stop(self) {
        let name = self.name;
        match self.process.stop().await {
            Ok(status) => log::info!("{name} stopped ({status})"),
            Err(error) => log::error!("{name}: {error}"),
        }
    }

    fn log_tail(&self) -> String {
        log_file::tail_after(&project::replica_log(&self.name), self.log_start, 20)
    }
}

/// Starts one and waits until it is ready, again on another port when somebody took the first one.
///
/// # Errors
/// As [`ShopProcess::wait_until_ready`], and when `stopping` is cancelled. Nothing is left running then.
pub async fn start(
    program: &ShopProgram,
    name: &str,
    variables: &ShopVariables,
    stopping: &CancellationToken,
) -> anyhow::Result<ShopProcess> {
    let mut attempt = 1;
    loop {
        let mut process = ShopProcess::spawn(program, name, variables).await?;
        let outcome = tokio::select! {
            outcome = process.wait_until_ready() => outcome,
            () = stopping.cancelled() => Err(anyhow!("{name} was stopped")),
        };
        let Err(error) = outcome else { return Ok(process) };
        process.stop().await;
        if attempt == PORT_ATTEMPTS || !error.to_string().to_lowercase().contains("in use") {
            return Err(error);
        }
        attempt += 1;
    }
}
