//! The shop as a process, for tests.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use crate::guard::{Guarded, GuardedCommand, Signal};
use crate::http::answers_ok;
use crate::log_file::last_lines;
use crate::port::free_port;

const START_LIMIT: Duration = Duration::from_secs(10);
const START_ATTEMPTS: usize = 5;
const POLL: Duration = Duration::from_millis(5);

/// What a replica is told through its environment. Only `database_url` has no default.
#[derive(Clone)]
pub struct ReplicaSettings {
    /// `DATABASE_URL`
    pub database_url: String,
    /// `REPLICA_NAME`
    pub name: String,
    /// `ORDER_API_URL`. When it is `None`, the replica's own address.
    pub order_api_url: Option<String>,
    /// `RACE_WINDOW_MS`
    pub race_window_ms: u64,
    /// `RETRY_AFTER_MS`
    pub retry_after_ms: u64,
    /// `DATABASE_POOL_SIZE`
    pub database_pool_size: u32,
    /// `STATIC_DIR`. The project's own folder by default.
    pub static_dir: PathBuf,
    /// Further variables. They win over the others.
    pub variables: Vec<(String, String)>,
}

impl ReplicaSettings {
    /// The settings of replica-1, with the shop's own defaults.
    pub fn new(database_url: &str) -> Self {
        Self {
            database_url: database_url.to_owned(),
            name: "replica-1".to_owned(),
            order_api_url: None,
            race_window_ms: 100,
            retry_after_ms: 50,
            database_pool_size: 10,
            static_dir: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../static"),
            variables: Vec::new(),
        }
    }

    fn environment(&self, port: u16) -> Vec<(String, String)> {
        let url = self.order_api_url.clone();
        let own = [
            ("DATABASE_URL", self.database_url.clone()),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", port.to_string()),
            ("REPLICA_NAME", self.name.clone()),
            ("ORDER_API_URL", url.unwrap_or_else(|| format!("http://127.0.0.1:{port}/api/orders"))),
            ("RACE_WINDOW_MS", self.race_window_ms.to_string()),
            ("RETRY_AFTER_MS", self.retry_after_ms.to_string()),
            ("DATABASE_POOL_SIZE", self.database_pool_size.to_string()),
            ("STATIC_DIR", self.static_dir.display().to_string()),
            // What a replica does for itself would come between what a test asks of it.
            ("HOLD_SWEEP_MS", "3600000".to_owned()),
            ("RUST_LOG", "info".to_owned()),
        ];
        own.map(|(name, value)| (name.to_owned(), value)).into_iter().chain(self.variables.clone()).collect()
    }
}

/// A running replica. It ends when this value is dropped, and when the test process ends in any way.
pub struct Replica {
    /// `http://127.0.0.1:<port>`, without a slash at the end.
    pub url: String,
    /// The port that it listens on.
    pub port: u16,
    /// Its process id.
    pub pid: u32,
    process: Guarded,
    log: File,
}

impl Replica {
    /// Starts `binary` and waits until GET /health answers 200.
    ///
    /// # Panics
    /// When it doesn't answer within ten seconds. The panic shows the end of its log.
    pub async fn start(binary: &Path, settings: ReplicaSettings) -> Self {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match Self::try_start(binary, &settings).await {
                Ok(replica) => return replica,
                // Somebody else took the port in between.
                Err(log) if attempts < START_ATTEMPTS && log.to_lowercase().contains("in use") => {}
                Err(log) => panic!("{} did not start:\n{}", settings.name, last_lines(&log, 20)),
            }
        }
    }

    async fn try_start(binary: &Path, settings: &ReplicaSettings) -> Result<Self, String> {
        let port = free_port().expect("a free port");
        let (log, path) =
            tempfile::Builder::new().append(true).tempfile().expect("a temporary file").into_parts();
        // The file has no name, so that nothing is left behind, however the test ends.
        path.close().expect("the file is ours");
        let process = GuardedCommand::new(binary)
            .envs(settings.environment(port))
            .start(log.try_clone().expect("a file descriptor"))
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));

        let url = format!("http://127.0.0.1:{port}");
        let mut replica = Self { url, port, pid: process.pid(), process, log };
        if replica.answers().await { Ok(replica) } else { Err(replica.log()) }
    }

    /// Returns false when the replica has ended, or when the time is over.
    async fn answers(&mut self) -> bool {
        let health = format!("{}/health", self.url);
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline && self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            if answers_ok(&health).await {
                return true;
            }
            tokio::time::sleep(POLL).await;
        }
        false
    }

    /// What it has logged so far.
    ///
    /// # Panics
    /// When the log can't be read.
    pub fn log(&self) -> String {
        // Don't seek in the file: the replica writes through the same open file.
        let length = self.log.metadata().expect("an open file").len() as usize;
        let mut bytes = vec![0; length];
        self.log.read_exact_at(&mut bytes, 0).expect("a log only grows");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sends SIGTERM and doesn't wait. This is for tests of what happens meanwhile.
    ///
    /// # Panics
    /// When the kernel refuses.
    pub fn terminate(&mut self) {
        self.process.signal(Signal::TERM).expect("the process is ours");
    }

    /// Waits until it has ended, and says how.
    ///
    /// # Panics
    /// When the kernel refuses.
    pub async fn wait(&mut self) -> ExitStatus {
        self.process.wait().await.expect("the process is ours")
    }

    /// Sends SIGTERM and waits for its end.
    ///
    /// # Panics
    /// When the kernel refuses.
    pub async fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.wait().await
    }

    /// Kills it, as a crash would, and waits for its end.
    ///
    /// # Panics
    /// When the kernel refuses.
    pub async fn kill(mut self) {
        self.process.signal(Signal::KILL).expect("the process is ours");
        self.wait().await;
    }
}
