//! A running lab, and what its parts ask of it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use flash_sale_gateway::Gateway;
use flash_sale_testbed::reason::told;
use flash_sale_wiretap::Wiretap;
use tokio::sync::mpsc::UnboundedSender;

use super::dashboard::engine::OwnCommands;
use crate::control::messages::{Event, Status};
use crate::database::Database;
use crate::progress::{Progress, Stage};
use crate::reach::Reach;
use crate::settings::LabSettings;
use crate::supervisor::Supervisor;

/// Everything that runs. Parts that have not started yet are empty.
pub(super) struct Lab {
    pub(super) settings: LabSettings,
    pub(super) reach: Reach,
    /// The shop's program that the lab was started with.
    pub(super) binary: PathBuf,
    /// The project's static/.
    pub(super) static_folder: PathBuf,
    pub(super) progress: Arc<Progress>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) database: OnceLock<Database>,
    /// What reads along between the replicas and PostgreSQL. It stays empty where the replicas go to PostgreSQL
    /// directly.
    pub(super) wiretap: OnceLock<Wiretap>,
    /// Locked while the wiretap loses answers for a command.
    pub(super) losing: tokio::sync::Mutex<()>,
    /// The dashboard's URL. It stays empty where there is no dashboard.
    pub(super) dashboard: OnceLock<String>,
    pub(super) supervisor: OnceLock<Supervisor>,
    /// The checks and races that the dashboard starts. It stays empty where there is no dashboard.
    pub(super) commands: OnceLock<Arc<OwnCommands>>,
}

impl Lab {
    /// What runs.
    pub(super) fn status(&self) -> Status {
        let connections = self.gateway.connections();
        Status {
            pid: std::process::id(),
            url: self.reach.url.clone(),
            address: self.reach.address,
            connections_open: connections.open,
            most_connections: self.gateway.most_connections(),
            connections_accepted: connections.accepted,
            replicas: self.supervisor.get().map(Supervisor::status).unwrap_or_default(),
            database: self.database.get().map(Database::status),
            wiretap: self.wiretap.get().is_some(),
            dashboard: self.dashboard.get().cloned(),
        }
    }
}

/// Tells `events` how the start goes, until the shop is open or the lab has stopped.
pub(super) async fn wait_until_open(lab: &Lab, events: &UnboundedSender<Event>) -> Event {
    let is_end = |stage: &Stage| matches!(stage, Stage::Open(_) | Stage::Stopped(_));
    // When the shop is open already, the lines about its start are no news.
    let heard = if lab.progress.stage() == Stage::Starting { 0 } else { lab.progress.said() };
    match lab.progress.follow(heard, events, is_end).await {
        Stage::Open(url) => Event::Open(url),
        Stage::Stopped(Some(reason)) => Event::Failed(reason),
        _ => Event::Done,
    }
}

/// The replicas' supervisor, once the shop is open; otherwise, the event to answer with.
pub(super) async fn open_supervisor<'a>(
    lab: &'a Lab,
    events: &UnboundedSender<Event>,
) -> Result<&'a Supervisor, Event> {
    match wait_until_open(lab, events).await {
        Event::Open(_) => {}
        Event::Done => return Err(Event::Failed("the shop was stopped. Start it: make run".to_owned())),
        failed => return Err(failed),
    }
    lab.supervisor.get().ok_or_else(|| Event::Failed("nothing to restart".to_owned()))
}

/// What is answered when replicas could not be replaced.
pub(super) fn restart_failed(error: &anyhow::Error) -> Event {
    let why = told(error);
    log::error!("restart: {why}");
    Event::Failed(format!("{why}\nThe old replicas still run."))
}
