//! `lab up`: starts everything in the background, and returns when the shop is open.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::Command;
use tokio::time::sleep;

use crate::control::{Event, Request, ask, last_event};
use crate::log_file;
use crate::project::{self, LAB_LOG};
use crate::server::{self, Starter};
use crate::settings::LabSettings;

/// While another lab starts or stops, it can't be asked for a moment.
const BUSY_PAUSE: Duration = Duration::from_millis(50);
const BUSY_ATTEMPTS: usize = 1200;

/// Starts everything, or finds it started. In the foreground it returns when everything has ended.
///
/// # Errors
/// When something doesn't start; nothing is left running then.
pub async fn up(foreground: bool) -> anyhow::Result<()> {
    let settings = LabSettings::read()?;
    if foreground {
        return server::run(settings, Starter::Terminal).await;
    }
    for _ in 0..BUSY_ATTEMPTS {
        match ask(&Request::WaitUntilOpen, print).await? {
            Some(Event::Open(url)) => {
                println!("The shop is open already: {url}");
                return Ok(());
            }
            Some(Event::Failed(reason)) => bail!(reason),
            // It was stopping, and has stopped now.
            Some(_) => continue,
            None => {}
        }
        match start().await? {
            Event::Open(url) => {
                print_next_commands(&url);
                return Ok(());
            }
            Event::Failed(reason) => bail!(reason),
            Event::Busy => sleep(BUSY_PAUSE).await,
            _ => bail!("the lab was stopped while it started"),
        }
    }
    bail!("another lab neither starts nor stops. Look at {LAB_LOG}")
}

/// Starts `lab serve`, prints what it says, and returns its last word.
async fn start() -> anyhow::Result<Event> {
    project::make_folders()?;
    let log = log_file::open(Path::new(LAB_LOG)).with_context(|| format!("can't open {LAB_LOG}"))?;
    let mut server = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .context("can't start the lab")?;
    let output = server.stdout.take().context("no pipe from the lab")?;

    let last = last_event(output, print).await?;
    if !matches!(last, Some(Event::Open(_))) {
        server.wait().await?;
    }
    last.with_context(|| format!("the lab was killed while it started. Look at {LAB_LOG}"))
}

fn print(line: &str) {
    println!("{line}");
}

fn print_next_commands(url: &str) {
    println!(
        "\nThe shop is open: {url}\n\n  \
         make logs       see what the replicas do\n  \
         make build      after a change: rebuild, and replace the replicas\n  \
         make db-shell   look at the rows\n  \
         make stop       close the shop"
    );
}
