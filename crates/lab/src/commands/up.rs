//! `lab up`: starts everything in the background, and returns when the shop is open.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use flash_sale_core::database_url::others_may_read_passwords;
use flash_sale_testbed::own_files::open_to_append;
use tokio::process::Command;
use tokio::time::sleep;

use super::NOT_BUILT;
use crate::build::{Show, build};
use crate::console;
use crate::control::messages::{Event, Request, Wanted};
use crate::control::{NOT_RUNNING, running};
use crate::control::{ask, last_event};
use crate::project::{self, LAB_LOG};
use crate::server::{self, Starter};
use crate::settings::LabSettings;

/// While another lab starts or stops, it can't be asked for a moment.
const BUSY_PAUSE: Duration = Duration::from_millis(50);
const BUSY_ATTEMPTS: usize = 1200;

/// Builds what has changed, and starts everything. If the shop runs already, its replicas take over what has changed.
/// In the foreground, this returns when everything has ended.
///
/// # Errors
/// When the shop doesn't compile, or something doesn't start: then nothing is left running. Also when the replicas run
/// but can't use their database: then they go on.
pub async fn up(foreground: bool, show: Show) -> anyhow::Result<()> {
    let settings = LabSettings::read()?;
    if others_may_read_passwords(Path::new(".")) {
        print(
            "note: other users of this machine may read the password in .env. Keep them out: chmod 600 .env",
        );
    }
    let binary = build(show).await?.context(NOT_BUILT)?.path;
    if foreground {
        return server::run(settings, binary, Starter::Terminal).await;
    }
    for _ in 0..BUSY_ATTEMPTS {
        match ask(&Request::WaitUntilOpen, print).await? {
            Some(Event::Open(url)) => return renew(&url, binary, settings).await,
            Some(Event::Failed(reason) | Event::WithoutDatabase(reason)) => bail!(reason),
            // The lab was stopping, and has stopped now.
            Some(_) => continue,
            None => {}
        }
        match start(&binary).await? {
            Event::Open(url) => {
                print_next_commands(&url);
                return Ok(());
            }
            Event::Failed(reason) | Event::WithoutDatabase(reason) => bail!(reason),
            Event::Busy => sleep(BUSY_PAUSE).await,
            _ => bail!("the shop was stopped while it started"),
        }
    }
    bail!("another command began to start the shop in this folder, and has not finished. Look at {LAB_LOG}")
}

/// Replaces the replicas of the running lab, if they run something else than what is wanted now.
async fn renew(url: &str, binary: PathBuf, settings: LabSettings) -> anyhow::Result<()> {
    let mut are_replaced = false;
    let hear = |line: &str| {
        are_replaced = true;
        print(line);
    };
    let wanted = Wanted { binary, variables: settings.shop.clone(), only_if_changed: true };
    match ask(&Request::Run(wanted), hear).await?.context(NOT_RUNNING)? {
        Event::Failed(reason) | Event::WithoutDatabase(reason) => bail!(reason),
        _ if are_replaced => {
            console::line(format_args!("The shop was open. Its replicas are new now: {url}"))
        }
        _ => console::line(format_args!("The shop is open already: {url}")),
    }
    let (is, set) = (running().await?.address.port(), settings.port);
    if is != set {
        console::line(format_args!("PORT is {set} now. To move the shop there: make stop run"));
    }
    Ok(())
}

/// Starts `lab serve`, prints what it says, and returns its last event.
async fn start(binary: &Path) -> anyhow::Result<Event> {
    project::make_folders()?;
    let log = open_to_append(Path::new(LAB_LOG)).with_context(|| format!("can't open {LAB_LOG}"))?;
    let mut server = Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg(binary)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .context("can't start the shop")?;
    let output = server.stdout.take().context("no pipe from the shop")?;

    let last = last_event(output, print).await?;
    if let Some(open @ (Event::Open(_) | Event::WithoutDatabase(_))) = last {
        return Ok(open);
    }
    let ended = server.wait().await?;
    last.with_context(|| server::why_it_ended(ended, Path::new(LAB_LOG)))
}

fn print(line: &str) {
    console::line(line);
}

fn print_next_commands(url: &str) {
    console::line(format_args!(
        "\nThe shop is open: {url}\n\n  \
         make logs       see what the replicas do\n  \
         make build      after a change: rebuild, and replace the replicas\n  \
         make db-shell   look at the rows\n  \
         make stop       close the shop"
    ));
}
