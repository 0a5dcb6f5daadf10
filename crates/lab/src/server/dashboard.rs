//! Serves the dashboard: what the wiretap sees, and what the lab knows, as pages.

mod asked;
pub(super) mod engine;
mod newer_sources;
mod state;
mod traffic;

use std::cmp::Reverse;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use anyhow::Context;
use flash_sale_core::allowed_hosts::AllowedHosts;
use flash_sale_dashboard::{DashboardSettings, Rooms, Source};
use flash_sale_wiretap::Recorder;
use flash_sale_wiretap::trace::Transaction;

use super::lab::Lab;
use asked::Asked;
use engine::OwnCommands;
use state::RunningShop;

/// Serves the dashboard on this port of 127.0.0.1, as long as the lab runs. Returns its URL.
///
/// # Errors
/// When the port can't be listened on.
pub(super) fn open(port: u16, recorder: Recorder, lab: &Arc<Lab>) -> anyhow::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("can't listen on port {port} (DASHBOARD_PORT)"))?;
    let settings = DashboardSettings {
        allowed_hosts: AllowedHosts::default(),
        static_dir: lab.static_folder.clone(),
        shop_url: lab.reach.url.clone(),
    };
    let news = recorder.news();
    let source = Source::new(move |limit| newest(&recorder, limit), news);
    let shop = Arc::new(RunningShop { lab: Arc::downgrade(lab), asked: Asked::default() });
    let engine = Arc::new(OwnCommands::find(format!("http://{}", lab.reach.address))?);
    let engine = Arc::clone(lab.commands.get_or_init(|| engine));
    let rooms = Rooms { shop, engine };
    let server = flash_sale_dashboard::serve(listener, source, rooms, settings)
        .context("can't serve the dashboard")?;
    tokio::spawn(server);
    Ok(format!("http://localhost:{port}"))
}

/// Purchases and reads together: a purchase without a transaction is a read on its own, and a write on its own.
fn newest(recorder: &Recorder, limit: usize) -> Vec<Transaction> {
    let mut transactions = recorder.transactions(limit);
    transactions.extend(recorder.others(limit));
    transactions.sort_by_key(|transaction| Reverse(transaction.number));
    transactions.truncate(limit);
    transactions
}
