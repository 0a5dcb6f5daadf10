//! One replica as a process: it is started on a free port, and watched until it is ready.

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use flash_sale_core::secret::Secret;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::guard::{Guarded, GuardedCommand, Signal};
use crate::http::answers_ok;
use crate::lock_holder;
use crate::log_file;
use crate::own_files::open_to_append;
use crate::port::{free_port, is_ours};
use crate::program_file::ProgramFile;
use crate::shop_settings::ShopVariables;

const START_LIMIT: Duration = Duration::from_secs(15);
/// How long a process that lives may wait for the database. After that, it takes its turn without the database.
const DATABASE_LIMIT: Duration = Duration::from_secs(5);
/// It is longer than any purchase may take: a purchase waits for locks and statements for a few seconds at most.
pub const STOP_GRACE: Duration = Duration::from_secs(20);
const PORT_ATTEMPTS: usize = 5;
const POLL: Duration = Duration::from_millis(10);
/// Each question whether a replica is ready adds a line to its log. Among hundreds, nobody would find the line that
/// says why it isn't.
const LONGEST_POLL: Duration = Duration::from_secs(1);

/// What is the same for all replicas.
#[derive(Clone, Debug)]
pub struct ShopProgram {
    /// The shop's binary.
    pub binary: PathBuf,
    /// The project's static/.
    pub static_folder: PathBuf,
    /// The folder that each replica works in.
    pub folder: PathBuf,
    /// The folder of the logs. Each log has its replica's name, with `.log`.
    pub logs: PathBuf,
    /// `DATABASE_URL`, with the role of the shop and its password.
    pub database_url: Secret,
    /// Where a checkout client posts its orders.
    pub order_api_url: String,
}

impl ShopProgram {
    fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }
}

/// The state of a process when it takes its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can sell.
    Ready,
    /// It lives, but its database doesn't answer it. It can sell as soon as the database answers.
    WithoutDatabase,
}

/// A running replica.
pub struct ShopProcess {
    process: Guarded,
    /// Where the replica listens.
    pub address: SocketAddr,
    /// When it was started.
    pub started: Instant,
    /// The file that it runs. It is `None` before the replica is ready, and when the file was replaced meanwhile.
    pub program: Option<ProgramFile>,
    name: String,
    log: PathBuf,
    log_start: u64,
}

impl ShopProcess {
    /// Starts a replica, and doesn't wait until it is ready.
    ///
    /// # Errors
    /// When no process can be started.
    pub async fn spawn(program: &ShopProgram, name: &str, variables: &ShopVariables) -> anyhow::Result<Self> {
        let port = free_port().map_err(|error| {
            anyhow!("this machine has no port left for {name} ({error}). See who listens on so many: ss -ltn")
        })?;
        let path = program.log(name);
        let log = open_to_append(&path).with_context(|| format!("can't open {}", path.display()))?;
        share(&log, &path)?;
        let log_start = log.metadata()?.len();
        let own = [
            ("DATABASE_URL", program.database_url.reveal().to_owned()),
            ("HOST", Ipv4Addr::LOCALHOST.to_string()),
            ("PORT", port.to_string()),
            ("REPLICA_NAME", name.to_owned()),
            ("ORDER_API_URL", program.order_api_url.clone()),
            ("STATIC_DIR", program.static_folder.display().to_string()),
        ];
        let process = GuardedCommand::new(&program.binary)
            .envs(own)
            .envs(variables)
            // The replica doesn't work in our folder, which has a .env: that file is read only when the lab starts and
            // when the lab is told to hand on the settings.
            .directory(&program.folder)
            .stop_with(Signal::TERM, STOP_GRACE)
            .start(log)
            .await
            .with_context(|| format!("can't start {}", program.binary.display()))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (started, name) = (Instant::now(), name.to_owned());
        Ok(Self { process, address, started, program: None, name, log: path, log_start })
    }

    /// Waits until the replica answers that it is ready. When it lives but the database doesn't answer it, this waits
    /// for a few seconds at most.
    ///
    /// # Errors
    /// When the replica ends or doesn't answer. The error holds the end of its log.
    pub async fn wait_until_ready(&mut self) -> anyhow::Result<Readiness> {
        let deadline = Instant::now() + START_LIMIT;
        let mut alive_since = None;
        let mut pause = POLL;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended while it started ({status}):\n{}", self.name, self.log_tail());
            }
            if self.answers("/ready").await {
                self.require_own_port()?;
                return Ok(Readiness::Ready);
            }
            if alive_since.is_some() {
                pause = (pause * 2).min(LONGEST_POLL);
            } else if self.answers("/health").await {
                alive_since = Some(Instant::now());
            }
            if alive_since.is_some_and(|since| since.elapsed() > DATABASE_LIMIT) {
                self.require_own_port()?;
                log::warn!("{} can't reach the database, and gets connections without it", self.name);
                return Ok(Readiness::WithoutDatabase);
            }
            sleep(pause).await;
        }
        bail!("{} did not answer in {} s:\n{}", self.name, START_LIMIT.as_secs(), self.log_tail())
    }

    /// The process that answers is not always the replica: another user may have taken the port first, and the replica
    /// is about to end.
    fn require_own_port(&self) -> anyhow::Result<()> {
        let port = self.address.port();
        ensure!(is_ours(port), "port {port} of {} is in use by another user", self.name);
        Ok(())
    }

    async fn answers(&self, path: &str) -> bool {
        answers_ok(&format!("http://{}{path}", self.address)).await
    }

    /// The replica's process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Waits until the replica ends by itself.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// Lets the replica answer the requests that it has accepted, and waits for its end.
    pub async fn stop(self) {
        let name = self.name;
        match self.process.stop().await {
            Ok(status) => log::info!("{name} stopped ({status})"),
            Err(error) => log::error!("{name}: {error}"),
        }
    }

    fn log_tail(&self) -> String {
        log_file::tail_after(&self.log, self.log_start, 20)
    }
}

/// Locks the log. The replica's process inherits the lock, so that the next program that opens or removes the log can
/// wait for the end of the replica. The lock is shared, because two processes write to the log during a rolling
/// restart. No process of ours holds the lock for itself meanwhile. A stranger may hold it: to wait for a stranger
/// would stop the shop, and to fail would stop it too.
fn share(log: &File, path: &Path) -> anyhow::Result<()> {
    match log.try_lock_shared() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let holder = lock_holder::of(log, path).unwrap_or_default();
            log::warn!(
                "somebody else has locked {}: the replica runs without that lock. {holder}",
                path.display()
            );
            Ok(())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("can't lock {}", path.display()))
        }
    }
}

/// Starts a replica and waits until it is ready, as [`ShopProcess::wait_until_ready`] does. When somebody took the
/// port, it starts again on another one.
///
/// # Errors
/// The same as those of [`ShopProcess::wait_until_ready`]. It is also an error when `stopping` is cancelled. Nothing is
/// left running then.
pub async fn start(
    program: &ShopProgram,
    name: &str,
    variables: &ShopVariables,
    stopping: &CancellationToken,
) -> anyhow::Result<(ShopProcess, Readiness)> {
    let mut attempt = 1;
    loop {
        let before = ProgramFile::at(&program.binary).ok();
        let mut process = ShopProcess::spawn(program, name, variables).await?;
        let outcome = tokio::select! {
            outcome = process.wait_until_ready() => outcome,
            () = stopping.cancelled() => Err(anyhow!("{name} was stopped")),
        };
        let error = match outcome {
            Ok(readiness) => {
                process.program = before.filter(|_| ProgramFile::at(&program.binary).ok() == before);
                return Ok((process, readiness));
            }
            Err(error) => error,
        };
        process.stop().await;
        if attempt == PORT_ATTEMPTS || !error.to_string().to_lowercase().contains("in use") {
            return Err(error);
        }
        attempt += 1;
    }
}
