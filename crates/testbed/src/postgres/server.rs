//! Runs a private PostgreSQL. Start with [`Cluster::start`]. `databases` makes its databases.

mod databases;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use flash_sale_core::database_reason::driver_reason;
use sea_orm::sqlx;
use tokio::time::sleep;

use super::address::{Address, Listen, socket_name};
use super::cluster_files::ClusterFiles;
use super::initialize::{initialize, read_shop_password};
use super::settings::{ClusterSettings, Durability};
use super::stale::remove_stale_pid_file;
use crate::guard::{Guarded, GuardedCommand, Signal};
use crate::log_file;
use crate::own_files;
use crate::port::free_port;

/// A server that was killed replays its log first, and that takes time.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A fast shutdown takes milliseconds. A checkpoint on a slow disk takes seconds.
const STOP_GRACE: Duration = Duration::from_secs(30);
/// A log that has grown longer is emptied at the next start.
const LOG_LIMIT_BYTES: u64 = 1024 * 1024;
const PORT_ATTEMPTS: usize = 5;
const POLL: Duration = Duration::from_millis(10);

/// The role that owns everything.
pub const OWNER_ROLE: &str = "postgres";
/// The role that the shop works as. The migration makes it.
const SHOP_ROLE: &str = "flash_sale_shop";

/// A running PostgreSQL. It stops when this value is dropped, and also when our process dies.
pub struct Cluster {
    server: Guarded,
    files: ClusterFiles,
    address: Address,
    password: String,
    shop_password: String,
    log_start: u64,
    /// This is the log, opened a second time so that it shares no lock: the next server waits for the lock.
    log: Arc<File>,
}

impl Cluster {
    /// Makes the data folder when there is none, starts the server and waits until it answers. Before that, it waits
    /// for the end of a server that still runs in this folder.
    ///
    /// # Errors
    /// When the server can't start. The error holds the end of its log.
    pub async fn start(settings: &ClusterSettings) -> anyhow::Result<Self> {
        let files = ClusterFiles { place: settings.place.clone() };
        // The server and all its processes have this file as their standard error, and so they share the lock.
        let log = log_file::lock(&files.log()).await.context("PostgreSQL")?;
        if let Some(user) = settings.place.user {
            let given = own_files::give_file(&log, user);
            given.with_context(|| format!("can't use {}", files.log().display()))?;
        }
        if log.metadata()?.len() > LOG_LIMIT_BYTES {
            log.set_len(0)?;
        }
        let own_log = Arc::new(own_files::open_to_append(&files.log())?);
        initialize(&files, settings, &log).await?;
        remove_stale_pid_file(&files.data())?;
        remove_stale_socket(&settings.place.folder)?;
        let password = own_files::read_to_string(&files.password())
            .with_context(|| format!("can't read {}", files.password().display()))?;
        let shop_password = read_shop_password(&files)?;

        for _ in 0..PORT_ATTEMPTS {
            let address = address_of(settings)?;
            let log_start = log.metadata()?.len();
            let server = server_command(settings, &files, &address).start(log.try_clone()?).await?;
            let (files, password, shop_password) = (files.clone(), password.clone(), shop_password.clone());
            let log = Arc::clone(&own_log);
            let mut cluster = Self { server, files, address, password, shop_password, log_start, log };
            match cluster.wait_until_ready().await {
                Ok(()) => return Ok(cluster),
                Err(error) if !error.to_string().contains("could not bind") => return Err(error),
                Err(_) => {}
            }
        }
        bail!("PostgreSQL could not get a port in {PORT_ATTEMPTS} attempts")
    }

    /// The URL of one of its databases, for its owner. The URL holds the password: don't show it.
    pub fn url(&self, database: &str) -> String {
        self.address.url(OWNER_ROLE, &self.password, database)
    }

    /// The URL of one of its databases, for the shop. The URL holds the password: don't show it.
    pub fn shop_url(&self, database: &str) -> String {
        self.address.url(SHOP_ROLE, &self.shop_password, database)
    }

    /// Where the server listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The process id of the server's first process, the postmaster.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The file that holds the password.
    pub fn password_file(&self) -> PathBuf {
        self.files.password()
    }

    /// The server's log.
    pub fn log(&self) -> PathBuf {
        self.files.log()
    }

    /// Puts the server's log aside when it is long, as [`log_file::put_aside_if_long`] does.
    ///
    /// # Errors
    /// The same as there.
    pub async fn keep_log_short(&self, aside: &'static Path) -> std::io::Result<bool> {
        let log = Arc::clone(&self.log);
        // A large file may be slow to copy, and others want to be answered meanwhile.
        tokio::task::spawn_blocking(move || log_file::put_aside_if_long(&log, aside)).await?
    }

    /// Asks the server to end, in the way of this signal. INT ends all sessions first (fast). QUIT ends at once, as a
    /// crash would (immediate). See the PostgreSQL manual, "Shutting Down the Server".
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        self.server.signal(signal)
    }

    /// Waits until the server ends by itself.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.server.wait().await
    }

    /// Ends all sessions, stops the server and waits for its end.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn stop(self) -> io::Result<ExitStatus> {
        self.server.stop().await
    }

    fn log_tail(&self) -> String {
        log_file::tail_after(&self.log(), self.log_start, 20)
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = self.server.try_wait()? {
                bail!("PostgreSQL did not start ({status}):\n{}", self.log_tail());
            }
            // Read what the server itself says first: a connection that comes too early adds a line to the log.
            if says_ready(&self.files.data()) {
                match self.connect("postgres").await {
                    Ok(_) => return Ok(()),
                    Err(error) if passes_by_itself(&error) => {}
                    Err(error) => bail!(
                        "PostgreSQL runs, but this program can't log in: {}\nIts settings and the password are in \
                         {}. To begin with an empty database: make clean run",
                        driver_reason(&error),
                        self.files.place.folder.display()
                    ),
                }
            }
            if Instant::now() > deadline {
                let limit = START_LIMIT.as_secs();
                bail!("PostgreSQL was not ready in {limit} s:\n{}", self.log_tail());
            }
            sleep(POLL).await;
        }
    }
}

fn address_of(settings: &ClusterSettings) -> io::Result<Address> {
    match settings.listen {
        Listen::OnPort(Some(port)) => Ok(Address::Port(port)),
        Listen::OnPort(None) => free_port().map(Address::Port),
        Listen::InItsFolder => match Address::in_folder(&settings.place.folder) {
            Some(socket) => Ok(socket),
            None => free_port().map(Address::Port),
        },
    }
}

/// Removes the socket's files that a killed server left behind. As with postmaster.pid, the number in the socket's lock
/// file may belong to a stranger's process by now. Call it when it is known that no server runs in the folder.
fn remove_stale_socket(folder: &Path) -> anyhow::Result<()> {
    let handle =
        own_files::open_folder(folder).with_context(|| format!("can't open {}", folder.display()))?;
    let socket = socket_name();
    for name in [format!("{socket}.lock"), socket] {
        match own_files::remove_in(&handle, &name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.with_context(|| format!("can't remove {}/{name}", folder.display()))?,
        }
    }
    Ok(())
}

fn server_command(settings: &ClusterSettings, files: &ClusterFiles, address: &Address) -> GuardedCommand {
    let (listen, folder) = match address {
        // The folder stands in quotes, so that a comma in it doesn't begin another folder.
        Address::Socket(folder) => ("", format!("\"{}\"", folder.display().to_string().replace('"', "\"\""))),
        Address::Port(_) => ("127.0.0.1", String::new()),
    };
    let mut options = vec![
        format!("port={}", address.number()),
        format!("listen_addresses={listen}"),
        format!("unix_socket_directories={folder}"),
        "unix_socket_permissions=0600".to_owned(),
        format!("max_connections={}", settings.max_connections),
        // This is far longer than a login takes on a busy machine. Until then, a client that never says its password
        // holds a slot.
        "authentication_timeout=5s".to_owned(),
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

/// Whether a server that is only just ready may give this error.
fn passes_by_itself(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        // cannot_connect_now: the server starts up, or is being stopped.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "57P03"),
        _ => false,
    }
}

/// Whether postmaster.pid says "ready". Its line 8 is "starting", "ready" or "stopping".
fn says_ready(data: &Path) -> bool {
    let text = own_files::read_to_string(&data.join("postmaster.pid")).unwrap_or_default();
    text.lines().nth(7).is_some_and(|state| state.trim() == "ready")
}
