//! `lab step`: a person lets two purchases go on, statement by statement. What is typed comes from standard input, so a
//! script can type it too.

use std::io::{self, stdin};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use flash_sale_explorer::ExploreOptions;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{built_shop, until_stopped};
use crate::step::{Session, introduction};
use crate::{console, project, stage};

/// The lines that are typed.
type Lines = mpsc::UnboundedReceiver<io::Result<String>>;

/// Two buyers.
const PURCHASES: usize = 2;
/// When nobody has typed anything for so long, the processes end. The next step starts them again.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// What is played.
#[derive(Args)]
#[command(
    after_help = "Type a or b and Enter, and A or B goes on by one statement. ? lists what else you can type. Two tasks: as \
                  the shop was shipped, make it sell more copies than there are. When you have mended it, try again."
)]
pub struct StepArguments {
    /// A way to sell, as make race ARGS=--list names it [default: what the shop does by itself]
    #[arg(long)]
    strategy: Option<String>,
    /// Copies at first
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=9))]
    stock: u32,
}

/// Builds, and plays what is typed until the end of the input, or until `q`.
///
/// # Errors
/// When the shop doesn't compile, a step can't be played, or a signal ends it.
pub async fn step(arguments: StepArguments) -> anyhow::Result<ExitCode> {
    until_stopped("make step", play(&arguments)).await?;
    Ok(ExitCode::SUCCESS)
}

async fn play(arguments: &StepArguments) -> anyhow::Result<()> {
    let path = built_shop().await?;
    let mut settings = stage::settings(&path, PURCHASES)?;
    // An exploration may run at the same time.
    settings.folder = project::STEP.into();
    let mut session = Session::new(
        settings,
        ExploreOptions::of_purchases(arguments.strategy.as_deref(), PURCHASES, arguments.stock),
        arguments.of_replay(),
    );
    console::text(introduction(arguments.stock));
    console::text(session.begin().await?);
    let mut lines = read_lines();
    while let Some(line) = next_line(&mut session, &mut lines).await? {
        for character in line.chars().filter(|character| !character.is_whitespace()) {
            let heard = session.hear(character).await?;
            console::text(heard.text);
            if heard.is_end || console::reader_has_left() {
                console::text(session.ending());
                return Ok(());
            }
        }
    }
    console::text(session.ending());
    Ok(())
}

async fn next_line(session: &mut Session, lines: &mut Lines) -> anyhow::Result<Option<String>> {
    console::text("> ");
    let line = match timeout(KEPT_FOR, lines.recv()).await {
        Ok(line) => line,
        Err(_) => {
            session.rest();
            lines.recv().await
        }
    };
    line.transpose().context("can't read what is typed")
}

/// Reads what is typed. The thread ends with the program: a read from a terminal can't be broken off.
fn read_lines() -> Lines {
    let (tell, lines) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in stdin().lines() {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

impl StepArguments {
    /// The arguments of `make explore` that play the same, with a space before each.
    fn of_replay(&self) -> String {
        let stock = if self.stock == 1 { String::new() } else { format!(" --stock {}", self.stock) };
        let strategy = self.strategy.as_ref().map(|strategy| format!(" --strategy {strategy}"));
        format!("{stock}{} --inside never", strategy.unwrap_or_default())
    }
}
