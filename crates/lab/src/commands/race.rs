//! `lab race`: which strategy sells what is there, and what does it cost?

use std::process::ExitCode;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use flash_sale_dashboard::engine_messages::{EngineMessage, Progress};
use flash_sale_testbed::open_files::{self, BESIDE_CONNECTIONS};
use indicatif::{ProgressBar, ProgressStyle};

use super::engine_message::{part_of, tell};
use crate::check::up_to_date::running_as_built;
use crate::console;
use crate::control::running;
use crate::race::options::RaceOptions;
use crate::race::{self, definitions, table};
use crate::shop::client::Shop;
use crate::shop::contestant;
use crate::shop::target::Target;

/// The race window (how long each payment takes), unless a person names one. It is wide enough that every strategy
/// meets it, and so small that a race of all strategies takes a minute or two, although some of them sell one copy
/// after the other.
const WINDOW_MS: u16 = 5;

/// How to race, and who.
#[derive(Args)]
#[command(after_help = definitions::text())]
pub struct RaceArguments {
    /// List the strategies that the shop knows, and end
    #[arg(long)]
    list: bool,
    /// Which strategies, as pessimistic,nowait; "exercise" is what the shop does by itself [default: all]
    #[arg(long, value_delimiter = ',')]
    strategy: Vec<String>,
    /// Copies in each round
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    stock: u32,
    /// Buyers in each round, all released at once
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    buyers: u16,
    /// Rounds for each strategy
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Buyers that are served at once, each on a connection of their own [default: all]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    concurrency: Option<u16>,
    /// RACE_WINDOW_MS of the replicas during the race: they are replaced before it, and again after it
    /// [default: 5]
    #[arg(long, conflicts_with = "url", value_parser = clap::value_parser!(u16).range(0..=3000))]
    window: Option<u16>,
    /// Buyers don't try again: shows the raw 409 and 503
    #[arg(long)]
    no_retry: bool,
    /// For how many seconds buyers try again
    #[arg(long, default_value_t = 30)]
    patience: u16,
    /// Decides the buyers' order and pauses [default: any]
    #[arg(long)]
    seed: Option<u32>,
    /// Print one JSON object: is_right, options, database, wiretap, strategies
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print a line of JSON for each round that begins, and for the figures
    #[arg(long, hide = true, conflicts_with_all = ["json", "csv"])]
    events: bool,
    /// Print a line of CSV for each strategy
    #[arg(long)]
    csv: bool,
    /// A shop that make run has not started, as http://gateway:3000, on the database of DATABASE_URL; its race
    /// window stays as it is
    #[arg(long)]
    url: Option<String>,
}

/// Races on the running shop, and prints what was measured. Fails when a strategy did something that it must not do.
///
/// # Errors
/// When there can't be a race.
pub async fn race(arguments: RaceArguments) -> anyhow::Result<ExitCode> {
    if arguments.list {
        console::text(list(arguments.url).await?);
        return Ok(ExitCode::SUCCESS);
    }
    let options = arguments.options();
    let at_once = options.at_once();
    open_files::require(at_once as u64 + BESIDE_CONNECTIONS, &format!("{at_once} buyers at once need"))?;
    let target = match arguments.url {
        Some(url) => Target::elsewhere(url)?,
        None => {
            let (status, _) = running_as_built().await?;
            ensure!(
                at_once <= status.most_connections,
                "{at_once} buyers at once need as many connections, and the shop's limit of open files (ulimit -n) \
                 allows {most}. Race fewer at once: --concurrency {most}. Or allow more files (ulimit -n 4096), and \
                 start the shop anew: make stop run",
                most = status.most_connections
            );
            Target::of(&status)?
        }
    };
    if let Some(window) = options.window_ms {
        console::error_line(format_args!(
            "The replicas run with a race window of {window} ms until the race is over."
        ));
    }
    let bar = progress_bar();
    let advance = |name: &str, done: usize, all: usize| {
        if arguments.events {
            tell(&EngineMessage::Progress(Progress { doing: name.to_owned(), done, all }));
        }
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        bar.set_message(name.to_owned());
    };
    let report = race::run(&target, &arguments.strategy, &options, &advance).await;
    bar.finish_and_clear();
    let report = report?;
    if arguments.events {
        tell(&EngineMessage::Raced(part_of(&report)?));
    } else if arguments.json {
        console::line(serde_json::to_string_pretty(&report)?);
    } else if arguments.csv {
        console::text(report.to_csv()?);
    } else {
        console::text(table::text(&report));
    }
    Ok(if report.is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn list(url: Option<String>) -> anyhow::Result<String> {
    let url = match url {
        Some(url) => url,
        None => running().await?.url,
    };
    let strategies = contestant::strategies(&Shop::at(&url).await?).await?;
    Ok(table::list(&strategies))
}

/// A bar on standard error. It shows nothing when standard error is no terminal.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} round {pos} of {len}, {eta} left: {msg}");
    let bar = ProgressBar::new(1).with_style(style.expect("the template is right"));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

impl RaceArguments {
    fn options(&self) -> RaceOptions {
        RaceOptions {
            stock: self.stock,
            buyers: self.buyers.into(),
            rounds: self.rounds.into(),
            concurrency: self.concurrency.unwrap_or(self.buyers).into(),
            window_ms: self.url.is_none().then(|| self.window.unwrap_or(WINDOW_MS)),
            retry: !self.no_retry,
            patience_seconds: self.patience,
            seed: self.seed.unwrap_or_else(|| fastrand::u32(..)),
        }
    }
}
