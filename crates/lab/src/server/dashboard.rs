//! Serves the dashboard: what the wiretap sees, and what the lab knows, as pages.

mod asked;
pub mod elsewhere;
pub(super) mod engine;
mod newer_sources;
mod own_exploration;
mod own_stage;
mod state;
mod traffic;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use anyhow::Context;
use flash_sale_core::allowed_hosts::AllowedHosts;
use flash_sale_dashboard::{DashboardSettings, Rooms, Source};
use flash_sale_testbed::port::free_beside;
use flash_sale_wiretap::Recorder;

use super::lab::Lab;
use crate::bench::kept_report::KeptReport;
use asked::Asked;
use engine::OwnCommands;
use own_stage::OwnStage;
use state::RunningShop;

/// Serves the dashboard on this port of 127.0.0.1, as long as the lab runs. Returns its URL.
///
/// # Errors
/// When the port can't be listened on.
pub(super) fn open(port: u16, recorder: &Recorder, lab: &Arc<Lab>) -> anyhow::Result<String> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| port_error(port, &error))?;
    let settings = DashboardSettings {
        allowed_hosts: AllowedHosts::default(),
        static_dir: lab.static_folder.clone(),
        shop_url: lab.reach.url.clone(),
    };
    let source = Source::from(recorder);
    let shop = Arc::new(RunningShop { lab: Arc::downgrade(lab), asked: Asked::default() });
    let stage = OwnStage::new(lab.binary.clone());
    let engine = Arc::new(OwnCommands::find(format!("http://{}", lab.reach.address), stage.clone())?);
    let engine = Arc::clone(lab.commands.get_or_init(|| engine));
    let rooms = Rooms { shop, engine, scheduler: Arc::new(stage), bench_reports: Arc::new(KeptReport) };
    let server = flash_sale_dashboard::serve(listener, source, rooms, settings)
        .context("can't serve the dashboard")?;
    tokio::spawn(server);
    Ok(format!("http://localhost:{port}"))
}

fn port_error(port: u16, error: &io::Error) -> anyhow::Error {
    if error.kind() != io::ErrorKind::AddrInUse {
        return anyhow::anyhow!("can't listen on port {port}: {error}. Look at DASHBOARD_PORT");
    }
    let other = free_beside(Ipv4Addr::LOCALHOST.into(), port);
    anyhow::anyhow!("port {port} is taken. For another one: make stop, then DASHBOARD_PORT={other} make run")
}
