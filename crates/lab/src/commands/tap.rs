//! `lab tap`: the wiretap and the dashboard alone, for a shop whose replicas and PostgreSQL run elsewhere, as in
//! containers.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use flash_sale_core::allowed_hosts::AllowedHosts;
use flash_sale_dashboard::{DashboardSettings, Source};
use flash_sale_wiretap::{Entrance, Wiretap};

use crate::console;
use crate::server::elsewhere;
use crate::settings;
use crate::signals::end_signal;

/// Between what to stand, and where.
#[derive(Args)]
pub struct TapArguments {
    /// The replicas, in the order of their ports
    #[arg(long, value_delimiter = ',', default_value = "replica-1,replica-2")]
    replicas: Vec<String>,
    /// Where the first replica finds its database; the next replica has the next port
    #[arg(long, default_value = "127.0.0.1:5001")]
    listen: SocketAddr,
    /// Where the dashboard listens
    #[arg(long, default_value = "127.0.0.1:4000")]
    dashboard: SocketAddr,
    /// The folder with the dashboard's style sheets and scripts
    #[arg(long, default_value = "static")]
    static_folder: PathBuf,
    /// Where a person finds the shop
    #[arg(long, default_value = "http://localhost:3000")]
    shop_url: String,
}

/// Leads each replica to the database of `DATABASE_URL`, and shows on the dashboard what passes, until a signal ends
/// it.
///
/// # Errors
/// When it can't listen, or when there can be no wiretap to this database.
pub async fn tap(arguments: TapArguments) -> anyhow::Result<()> {
    let TapArguments { replicas, listen, dashboard, static_folder, shop_url } = arguments;
    let Some(database) = settings::database()? else {
        bail!("DATABASE_URL is not set. It names the database that the replicas are to be led to")
    };
    let listener = TcpListener::bind(dashboard).with_context(|| format!("can't listen on {dashboard}"))?;
    let wiretap = Wiretap::listen(database.shop.reveal(), &replicas, Entrance::From(listen))?;
    let settings = DashboardSettings {
        allowed_hosts: AllowedHosts::from_environment()?,
        static_dir: static_folder,
        shop_url,
    };
    let recorder = wiretap.recorder();
    let (source, rooms) = (Source::from(recorder), elsewhere::rooms(recorder));
    tokio::spawn(flash_sale_dashboard::serve(listener, source, rooms, settings)?);
    console::line(format_args!("the replicas find their database from {listen} on"));
    console::line(format_args!("the shop's transactions are shown on {dashboard}"));
    end_signal().await?;
    Ok(())
}
