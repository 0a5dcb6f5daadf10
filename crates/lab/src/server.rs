//! Runs the lab: starts everything, and stops everything at the end. Start with [`run`].

mod control_server;
mod dashboard;
mod lab;
mod leftovers;
mod lending;
pub(crate) mod log_keeper;
mod losing;
mod opened;
mod starter;
mod timeline;
mod wire;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, ensure};
use flash_sale_core::secret::Secret;
use flash_sale_gateway::limits::{Limits, most_connections};
use flash_sale_gateway::{self as gateway, Gateway};
use flash_sale_testbed::http::answers_ok;
use flash_sale_testbed::open_files;
use flash_sale_testbed::port::free_beside;
use flash_sale_testbed::reason::told;
use flash_sale_testbed::shop_process::{Readiness, ShopProgram};
use flash_sale_wiretap::Wiretap;
use tokio::sync::mpsc;

use crate::advice::told_with_advice;
use crate::control::messages::Event;
use crate::database::Database;
use crate::progress::Stage;
use crate::project;
use crate::reach::Reach;
use crate::settings::LabSettings;
use crate::supervisor::Supervisor;
use lab::Lab;
use leftovers::make_way;
use starter::{stop_on_signals, stop_when_starter_ends, tell, tell_starter};

pub use dashboard::elsewhere;
pub use leftovers::wait_for_leftovers;
pub use starter::{Starter, why_it_ended};

/// Starts everything, with `binary` as the shop's program. Goes on until a command or a signal tells it to stop, and
/// returns when everything has ended.
///
/// # Errors
/// When something doesn't start; nothing is left running then.
pub async fn run(settings: LabSettings, binary: PathBuf, starter: Starter) -> anyhow::Result<()> {
    let Some(lock) = project::try_lock()? else {
        if starter == Starter::Pipes {
            tell_starter(&Event::Busy);
            return Ok(());
        }
        anyhow::bail!("the shop is running already. See it: make status. Stop it: make stop");
    };
    // Only the end of this process gives the lock back. So the next process that gets it knows that this one is gone.
    std::mem::forget(lock);
    let result = run_locked(settings, binary, starter).await;
    if let (Err(error), Starter::Pipes) = (&result, starter) {
        // It does no harm if this was said before: the starter hears only the first such event.
        tell_starter(&Event::Failed(told_with_advice(error)));
    }
    result
}

async fn run_locked(settings: LabSettings, binary: PathBuf, starter: Starter) -> anyhow::Result<()> {
    wait_for_leftovers().await?;
    make_way()?;
    open_files::require(open_files::FEWEST, "the shop needs")?;
    let static_folder = Path::new("static").canonicalize().context("the folder static/ is missing")?;
    let address = SocketAddr::new(settings.host, settings.port);
    let listener = gateway::bind(address).map_err(|error| port_error(address, &error))?;
    let reach = Reach::of(listener.local_addr()?).await;
    let limits = Limits { connections: most_connections(wire::files_opened(&settings)), ..Limits::default() };
    let gateway = Arc::new(Gateway::start_with(limits, listener, settings.replicas as usize)?);
    let lab = Arc::new(Lab {
        settings,
        reach,
        binary,
        static_folder,
        progress: Arc::default(),
        gateway,
        database: OnceLock::new(),
        wiretap: OnceLock::new(),
        losing: tokio::sync::Mutex::default(),
        dashboard: OnceLock::new(),
        supervisor: OnceLock::new(),
        commands: OnceLock::new(),
    });

    let control = tokio::spawn(control_server::serve(project::listen_for_commands()?, Arc::clone(&lab)));
    let (events, receiver) = mpsc::unbounded_channel();
    let telling = tokio::spawn(tell(starter, receiver));
    let follower = tokio::spawn(Arc::clone(&lab).follow(starter, events));
    tokio::spawn(log_keeper::keep_short(project::LOGS));
    stop_on_signals(starter, &lab.progress)?;
    if starter == Starter::Pipes {
        stop_when_starter_ends(&lab.progress);
    }

    let result = lab.live().await;
    lab.close().await;
    let reason = result.as_ref().err().map(told_with_advice);
    lab.progress.set_stage(Stage::Stopped(reason));
    let _ = follower.await;
    let _ = telling.await;
    let _ = control.await;
    result
}

fn port_error(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let port = address.port();
    let other = || free_beside(address.ip(), port);
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("port {port} is taken. Stop what uses it, or: PORT={} make run", other())
        }
        io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("port {port} is for root only. Take another one: PORT={} make run", other())
        }
        io::ErrorKind::AddrNotAvailable => {
            anyhow::anyhow!("HOST={}: this machine does not have that address", address.ip())
        }
        _ => anyhow::anyhow!("can't listen on {address}: {error}. Look at HOST and PORT"),
    }
}

impl Lab {
    /// Starts everything, and waits until it is told to stop.
    async fn live(self: &Arc<Self>) -> anyhow::Result<()> {
        let told_to_stop = |stage: &Stage| matches!(stage, Stage::Stopping);
        tokio::select! {
            opened = self.open() => opened?,
            () = self.progress.wait_for(told_to_stop) => return Ok(()),
        }
        self.progress.set_stage(Stage::Open(self.reach.url.clone()));
        let database = self.database.get().expect("it was opened");
        tokio::select! {
            () = database.keep_shop_role() => {}
            () = self.progress.wait_for(told_to_stop) => {}
        }
        Ok(())
    }

    async fn open(self: &Arc<Self>) -> anyhow::Result<()> {
        let database = Database::open(&self.settings, &self.progress).await?;
        let database = self.database.get_or_init(|| database);
        database.migrate(&self.progress).await?;

        let program = ShopProgram {
            binary: self.binary.clone(),
            static_folder: self.static_folder.clone(),
            folder: project::STATE.into(),
            logs: project::LOGS.into(),
            database_url: database.urls().shop.clone(),
            order_api_url: format!("http://{}/api/orders", self.reach.address),
        };
        let variables = self.settings.shop.clone();
        if self.settings.wiretap {
            match wire::tap(&database.urls().shop, &self.settings).await {
                Ok(wiretap) => {
                    self.open_dashboard(&wiretap);
                    drop(self.wiretap.set(wiretap));
                }
                Err(error) => self.progress.say(format!("note: no wiretap: {}", told(&error))),
            }
        }
        let tapped = |name: &str| Some(Secret::new(self.wiretap.get()?.url_of(name)?));
        let program_of = |name: &str| ShopProgram {
            database_url: tapped(name).unwrap_or_else(|| program.database_url.clone()),
            ..program.clone()
        };
        let start = || Supervisor::start(self.settings.replicas, program_of, variables, &self.gateway);
        let supervisor = self.supervisor.get_or_init(start);
        if supervisor.wait_until_ready(&|line| self.progress.say(line)).await? == Readiness::Ready
            && let Some(note) = database.lost_limits().await
        {
            self.progress.say(format!("note: {note}"));
        }
        let health = format!("http://{}/health", self.reach.address);
        ensure!(answers_ok(&health).await, "the shop does not answer through the gateway: {health}");
        Ok(())
    }

    fn open_dashboard(self: &Arc<Self>, wiretap: &Wiretap) {
        let Some(port) = self.settings.dashboard_port else { return };
        match dashboard::open(port, wiretap.recorder(), self) {
            Ok(url) => {
                self.progress.say(format!("the shop's transactions are shown at {url}"));
                drop(self.dashboard.set(url));
            }
            Err(error) => self.progress.say(format!("note: no dashboard: {}", told(&error))),
        }
    }

    /// Stops everything, in an order in which nobody loses an answer.
    async fn close(&self) {
        self.progress.set_stage(Stage::Stopping);
        if let Some(commands) = self.commands.get() {
            commands.stop().await;
        }
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
            // The start was given up. PostgreSQL ends by itself, and we wait for that.
            None => {
                if let Err(error) = wait_for_leftovers().await {
                    log::error!("{}", told(&error));
                }
            }
        }
        let _ = fs::remove_file(project::CONTROL_SOCKET);
    }

    async fn follow(self: Arc<Self>, starter: Starter, events: mpsc::UnboundedSender<Event>) {
        let until_open = |stage: &Stage| matches!(stage, Stage::Open(_) | Stage::Stopped(_));
        let mut stage = self.progress.follow(0, &events, until_open).await;
        if let (Stage::Open(_), Starter::Terminal) = (&stage, starter) {
            let heard = self.progress.said();
            let _ = events.send(self.opened().await);
            let until_stopped = |stage: &Stage| matches!(stage, Stage::Stopped(_));
            stage = self.progress.follow(heard, &events, until_stopped).await;
        }
        let _ = events.send(match stage {
            Stage::Open(_) => self.opened().await,
            Stage::Stopped(Some(reason)) => Event::Failed(reason),
            _ => Event::Done,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_port_that_may_not_be_used_is_said_with_one_that_may_whatever_it_is() {
        for port in [1, 80, 1023, 65_436, 65_500, u16::MAX] {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));

            for (kind, said) in [
                (io::ErrorKind::AddrInUse, format!("port {port} is taken. Stop what uses it, or: PORT=")),
                (
                    io::ErrorKind::PermissionDenied,
                    format!("port {port} is for root only. Take another one: PORT="),
                ),
            ] {
                let error = port_error(address, &kind.into()).to_string();

                assert!(error.starts_with(&said) && error.ends_with(" make run"), "{error}");
            }
        }
    }
}
