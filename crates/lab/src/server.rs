//! A running lab: everything, from the first process to the last. Start with [`run`].

mod control_server;

use std::fs;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, ensure};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::control::{Event, Status};
use crate::database::Database;
use crate::gateway::{self, Gateway};
use crate::http::answers_ok;
use crate::log_file;
use crate::postgres::{initialize::ClusterFiles, place};
use crate::progress::{Progress, Stage};
use crate::project;
use crate::settings::LabSettings;
use crate::shop_process::ShopProgram;
use crate::supervisor::Supervisor;

/// Who hears how it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starter {
    /// A person, on the terminal, to the end.
    Terminal,
    /// `lab up`, through our standard output, until the shop is open. When it ends before that, its end of
    /// our standard input closes, and we stop.
    Pipes,
}

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
    let Some(_lock) = project::try_lock()? else {
        if starter == Starter::Pipes {
            tell_starter(&Event::Busy);
            return Ok(());
        }
        anyhow::bail!("the lab is running already. See it: make logs. Stop it: make stop");
    };
    let result = run_locked(settings, starter).await;
    if let (Err(error), Starter::Pipes) = (&result, starter) {
        // Harmless when it was said before: only the first is heard.
        tell_starter(&Event::Failed(format!("{error:#}")));
    }
    result
}

fn tell_starter(event: &Event) {
    let line = serde_json::to_string(event).expect("an event is plain data");
    // It may be gone, and nobody else reads this.
    let _ = writeln!(io::stdout(), "{line}");
}

async fn run_locked(settings: LabSettings, starter: Starter) -> anyhow::Result<()> {
    wait_for_leftovers().await;
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

/// What an earlier lab left.
fn make_way() -> anyhow::Result<()> {
    project::make_folders()?;
    for entry in fs::read_dir(project::LOGS)?.flatten() {
        // Emptied, not removed: we write to one of them, and somebody may be reading the others.
        fs::File::options().write(true).open(entry.path())?.set_len(0)?;
    }
    match fs::remove_file(project::CONTROL_SOCKET) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
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
        flash_sale_migration::migrate(database.url()).await.context("the migration failed")?;
        self.progress.say("schema up to date");

        let program = ShopProgram {
            binary: self.program.binary.clone(),
            static_folder: self.program.static_folder.clone(),
            database_url: database.url().to_owned(),
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
            supervisor.stop().await;
            self.progress.say("replicas stopped");
        }
        self.gateway.close().await;
        match self.database.get() {
            Some(database) => database.stop().await,
            // Given up while it started: it ends by itself, and we wait for that.
            None => wait_for_leftovers().await,
        }
        if self.settings.database_url.is_none() {
            self.progress.say("PostgreSQL stopped");
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

/// Waits until nothing of an earlier lab runs any more. Killed, it leaves its children to end by themselves.
pub async fn wait_for_leftovers() {
    let entries = fs::read_dir(project::LOGS).into_iter().flatten().flatten();
    let replicas = entries.map(|entry| entry.path()).filter(|path| path != Path::new(project::LAB_LOG));
    let mut logs: Vec<PathBuf> = replicas.collect();
    if let Ok(wanted) = Path::new(project::POSTGRES).canonicalize() {
        let places = [place::fallback(&wanted), wanted].map(|folder| ClusterFiles::log_in(&folder));
        logs.extend(places.into_iter().filter(|log| log.exists()));
    }
    for log in logs {
        if let Err(error) = log_file::lock(&log).await {
            log::error!("{error:#}");
        }
    }
}

async fn tell(starter: Starter, mut events: mpsc::UnboundedReceiver<Event>) {
    while let Some(event) = events.recv().await {
        match (starter, &event) {
            (Starter::Pipes, _) => tell_starter(&event),
            (Starter::Terminal, Event::Line(line)) => println!("{line}"),
            (Starter::Terminal, Event::Open(url)) => println!("The shop is open: {url} (Ctrl-C closes it)"),
            (Starter::Terminal, _) => {}
        }
    }
}

fn stop_on_signals(progress: &Arc<Progress>) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // The terminal that started us may be closed.
    let mut hangup = signal(SignalKind::hangup())?;
    let progress = Arc::clone(progress);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => progress.set_stage(Stage::Stopping),
                _ = terminate.recv() => progress.set_stage(Stage::Stopping),
                _ = hangup.recv() => {}
            }
        }
    });
    Ok(())
}

/// On a plain thread: tokio's own would keep the process from ending while it reads.
fn stop_when_starter_ends(progress: &Arc<Progress>) {
    let progress = Arc::clone(progress);
    std::thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        if progress.stage() == Stage::Starting {
            progress.say("the command that started this was stopped");
            progress.set_stage(Stage::Stopping);
        }
    });
}
