//! Serves the dashboard: what the wiretap sees, as pages.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::Context;
use flash_sale_core::allowed_hosts::AllowedHosts;
use flash_sale_dashboard::{DashboardSettings, Source};
use flash_sale_testbed::port::free_beside;
use flash_sale_wiretap::Recorder;

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
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| port_error(port, &error))?;
    let settings = DashboardSettings {
        allowed_hosts: AllowedHosts::default(),
        static_dir: static_folder.to_owned(),
        shop_url: shop_url.to_owned(),
    };
    let news = recorder.news();
    // Purchases and reads together: a purchase without a transaction is a read on its own, and a write on its own.
    let source = Source::new(move |limit| recorder.all(limit), news);
    let server =
        flash_sale_dashboard::serve(listener, source, settings).context("can't serve the dashboard")?;
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
