//! A running lab: everything, from the first process to the last. Start with [`run`].

mod control_server;
mod leftovers;
mod starter;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, ensure};
use tokio::net::UnixListener;
use tokio::sync::mpsc;

use crate::control::{Event, Status};
use crate::database::Database;
use crate::gateway::{self, Gateway};
use crate::http::answers_ok;
use crate::progress::{Progress, Stage};
use crate::project;
use crate::settings::LabSettings;
use crate::shop_process::ShopProgram;
use crate::supervisor::Supervisor;
use leftovers::make_way;
use starter::{stop_on_signals, stop_when_starter_ends, tell, tell_starter};

pub use leftovers::wait_for_leftovers;
pub use starter::Starter;

/// Everything that runs. Parts that aren't there yet are empty.
struct Lab {
    settings: LabSettings,
    program: Program,
    progress: Arc<Progress>,
    gateway: Arc<Gateway>,
    database: OnceLock<Database>,
    supervisor: OnceLock<Supervisor>,
}

/// Paths that are looked up before a rebuild can replace the files.
struct Program {
    binary: PathBuf,
    static_folder: PathBuf,
}

/// Starts everything, and returns when everything has ended: told to by a command, by SIGINT or by SIGTERM.
///
/// # Errors
/// When something doesn't start; nothing is left running then.
pub async fn run(settings: LabSettings, starter: Starter) -> anyhow::Result<()> {
    let Some(lock) = project::try_lock()? else {
        if starter == Starter::Pipes {
            tell_starter(&Event::Busy);
            return Ok(());
        }
        anyhow::bail!("the lab is running already. See it: make logs. Stop it: make stop");
    };
    // Only the end of this process gives it back: whoever gets it next may rely on our being gone.
    std::mem::forget(lock);
    let result = run_locked(settings, starter).await;
    if let (Err(error), Starter::Pipes) = (&result, starter) {
        // Harmless when it was said before: only the first is heard.
        tell_starter(&Event::Failed(format!("{error:#}")));
    }
    result
}

async fn run_locked(settings: LabSettings, starter: Starter) -> anyhow::Result<()> {
    wait_for_leftovers().await?;
    make_way()?;
    gateway::raise_file_limit();
    let program = find_program()?;
    let address = SocketAddr::new(settings.host, settings.port);
    let listener = gateway::bind(address).map_err(|error| port_error(address, &error))?;
    let gateway = Arc::new(Gateway::start(listener, settings.replicas as usize)?);
    let lab = Arc::new(Lab {
        settings,
        program,
        progress: Arc::default(),
        gateway,
        database: OnceLock::new(),
        supervisor: OnceLock::new(),
    });

    let control = UnixListener::bind(project::CONTROL_SOCKET)
        .with_context(|| format!("can't listen on {}", project::CONTROL_SOCKET))?;
    let control = tokio::spawn(control_server::serve(control, Arc::clone(&lab)));
    let (events, receiver) = mpsc::unbounded_channel();
    let told = tokio::spawn(tell(starter, receiver));
    let follower = tokio::spawn(Arc::clone(&lab).follow(starter, events));
    stop_on_signals(&lab.progress)?;
    if starter == Starter::Pipes {
        stop_when_starter_ends(&lab.progress);
    }

    let result = lab.live().await;
    lab.close().await;
    let reason = result.as_ref().err().map(|error| format!("{error:#}"));
    lab.progress.set_stage(Stage::Stopped(reason));
    let _ = follower.await;
    let _ = told.await;
    let _ = control.await;
    result
}

fn find_program() -> anyhow::Result<Program> {
    let own = std::env::current_exe().context("the lab can't find itself")?;
    let binary = own.with_file_name("flash-sale-web");
    ensure!(binary.is_file(), "{} is missing. Build and start everything: make run", binary.display());
    let static_folder = Path::new("static").canonicalize().context("the folder static/ is missing")?;
    Ok(Program { binary, static_folder })
}

fn port_error(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let port = address.port();
    let other = port.checked_add(100).unwrap_or(port - 100);
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("port {port} is taken. Stop what uses it, or: PORT={other} make run")
        }
        io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("port {port} is for root only. Take another one: PORT=3000 make run")
        }
        _ => anyhow::anyhow!("can't listen on {address}: {error}. Look at HOST and PORT"),
    }
}

impl Lab {
    /// Starts everything, and waits until it is told to stop.
    async fn live(&self) -> anyhow::Result<()> {
        let told_to_stop = |stage: &Stage| matches!(stage, Stage::Stopping);
        tokio::select! {
            opened = self.open() => opened?,
            () = self.progress.wait_for(told_to_stop) => return Ok(()),
        }
        self.progress.set_stage(Stage::Open(self.settings.shop_url()));
        self.progress.wait_for(told_to_stop).await;
        Ok(())
    }

    async fn open(&self) -> anyhow::Result<()> {
        let database = Database::open(&self.settings, &self.progress).await?;
        let database = self.database.get_or_init(|| database);
        database.migrate(&self.progress).await?;

        let program = ShopProgram {
            binary: self.program.binary.clone(),
            static_folder: self.program.static_folder.clone(),
            database_url: database.urls().shop.clone(),
            order_api_url: self.settings.order_api_url(),
        };
        let variables = self.settings.shop.clone();
        let start = || Supervisor::start(self.settings.replicas, &program, variables, &self.gateway);
        let supervisor = self.supervisor.get_or_init(start);
        supervisor.wait_until_ready(&|line| self.progress.say(line)).await?;
        let health = format!("http://{}/health", self.settings.local_address());
        ensure!(answers_ok(&health).await, "the shop does not answer through the gateway: {health}");
        Ok(())
    }

    /// Stops everything, in the order in which nobody loses an answer.
    async fn close(&self) {
        self.progress.set_stage(Stage::Stopping);
        self.gateway.stop_accepting();
        if let Some(supervisor) = self.supervisor.get() {
            supervisor.stop(&|line| self.progress.say(line)).await;
            self.progress.say("replicas stopped");
        }
        self.gateway.close().await;
        match self.database.get() {
            Some(database) => {
                database.stop().await;
                if self.settings.database.is_none() {
                    self.progress.say("PostgreSQL stopped");
                }
            }
            // Given up while it started: it ends by itself, and we wait for that.
            None => {
                if let Err(error) = wait_for_leftovers().await {
                    log::error!("{error:#}");
                }
            }
        }
        let _ = fs::remove_file(project::CONTROL_SOCKET);
    }

    fn status(&self) -> Status {
        let connections = self.gateway.connections();
        Status {
            pid: std::process::id(),
            url: self.settings.shop_url(),
            connections_open: connections.open,
            connections_accepted: connections.accepted,
            replicas: self.supervisor.get().map(Supervisor::status).unwrap_or_default(),
            database: self.database.get().map(Database::status),
        }
    }

    async fn follow(self: Arc<Self>, starter: Starter, events: mpsc::UnboundedSender<Event>) {
        let until_open = |stage: &Stage| matches!(stage, Stage::Open(_) | Stage::Stopped(_));
        let mut stage = self.progress.follow(0, &events, until_open).await;
        if let (Stage::Open(url), Starter::Terminal) = (&stage, starter) {
            let _ = events.send(Event::Open(url.clone()));
            let until_stopped = |stage: &Stage| matches!(stage, Stage::Stopped(_));
            stage = self.progress.follow(self.progress.said(), &events, until_stopped).await;
        }
        let _ = events.send(match stage {
            Stage::Open(url) => Event::Open(url),
            Stage::Stopped(Some(reason)) => Event::Failed(reason),
            _ => Event::Done,
        });
    }
}
