//! Serves the dashboard: what the wiretap sees, as pages.

use std::cmp::Reverse;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::Context;
use flash_sale_core::allowed_hosts::AllowedHosts;
use flash_sale_dashboard::{DashboardSettings, Source};
use flash_sale_wiretap::Recorder;
use flash_sale_wiretap::trace::Transaction;

/// Serves the dashboard on this port of 127.0.0.1, as long as the lab runs. Returns its URL.
///
/// # Errors
/// When the port can't be listened on.
pub(super) fn open(
    port: u16,
    recorder: Recorder,
    static_folder: &Path,
    shop_url: &str,
) -> anyhow::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("can't listen on port {port} (DASHBOARD_PORT)"))?;
    let settings = DashboardSettings {
        allowed_hosts: AllowedHosts::default(),
        static_dir: static_folder.to_owned(),
        shop_url: shop_url.to_owned(),
    };
    let news = recorder.news();
    let source = Source::new(move |limit| newest(&recorder, limit), news);
    let server =
        flash_sale_dashboard::serve(listener, source, settings).context("can't serve the dashboard")?;
    tokio::spawn(server);
    Ok(format!("http://localhost:{port}"))
}

/// Purchases and reads together: a purchase without a transaction is a read on its own, and a write on its own.
pub(super) fn newest(recorder: &Recorder, limit: usize) -> Vec<Transaction> {
    let mut transactions = recorder.transactions(limit);
    transactions.extend(recorder.others(limit));
    transactions.sort_by_key(|transaction| Reverse(transaction.number));
    transactions.truncate(limit);
    transactions
}
