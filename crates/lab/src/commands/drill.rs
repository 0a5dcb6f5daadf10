//! `lab drill`: what does the shop do when something breaks?

use std::process::ExitCode;

use clap::Args;
use flash_sale_testbed::open_files::{self, BESIDE_CONNECTIONS};

use super::progress_line;
use crate::check::up_to_date::running_as_built;
use crate::console;
use crate::drill::options::DrillOptions;
use crate::drill::under_way::Step;
use crate::drill::{self, definitions, fault, table};
use crate::settings::LabSettings;

/// The race window (how long each payment takes), unless a person names one. It is wide enough that there is always a
/// purchase in the middle of its work, and so small that buyers don't only wait for one another.
const WINDOW_MS: u16 = 20;

/// A transaction around a lock, a transaction that is tried again, a single statement, and a queue: each breaks in
/// another way.
const STRATEGIES: &str = "pessimistic,optimistic,single_statement,batched";

/// What to do to the shop, and for how long.
#[derive(Args)]
#[command(after_help = definitions::text())]
pub struct DrillArguments {
    /// Which faults, as kill-replica,burst [default: all]
    #[arg(long, value_delimiter = ',')]
    fault: Vec<String>,
    /// Print the faults, and end
    #[arg(long)]
    list: bool,
    /// The strategies that the buyers name in turn; "exercise" is what the shop does by itself, and may oversell
    #[arg(long, value_delimiter = ',', default_value = STRATEGIES)]
    strategy: Vec<String>,
    /// Steady buyers: each buys one copy after the other, with short pauses
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(8..=1000))]
    buyers: u16,
    /// How many seconds the buyers buy around each fault, at least; rolling-restart lasts as long
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How many seconds a fault lasts, if --list gives it a length [default: as --list says]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=60))]
    lasts: Option<u64>,
    /// How many buyers a burst has
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    burst: u16,
    /// RACE_WINDOW_MS of the replicas during the drill: they are replaced before it, and again after it
    #[arg(long, default_value_t = WINDOW_MS, value_parser = clap::value_parser!(u16).range(0..=3000))]
    window: u16,
    /// Random faults, one after the other, for so many minutes; then the memory, files and sessions of the shop
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=1440))]
    soak: Option<u64>,
    /// PostgreSQL is 10 ms away from the replicas, in each direction, all the time
    #[arg(long)]
    far: bool,
    /// Buyers who leave before their answer come during every fault
    #[arg(long)]
    leaving: bool,
    /// Decides what is random [default: any]
    #[arg(long)]
    seed: Option<u32>,
    /// Print one JSON object: survived, options, wiretap, faults, skipped, soak, original
    #[arg(long)]
    json: bool,
}

/// Drills the running shop, and prints what was seen. Fails unless every fault was survived.
///
/// # Errors
/// When the shop can't be drilled.
pub async fn drill(arguments: DrillArguments) -> anyhow::Result<ExitCode> {
    if arguments.list {
        console::text(fault::list());
        return Ok(ExitCode::SUCCESS);
    }
    let faults = fault::choose(&arguments.fault)?;
    let buyers = u64::from(arguments.burst) + u64::from(arguments.buyers);
    open_files::require(buyers + BESIDE_CONNECTIONS, &format!("{buyers} buyers at once need"))?;
    let (status, _) = running_as_built().await?;
    let options = arguments.options()?;
    console::error_line(format_args!("seed: {}", options.seed));
    let report = drill::run(&status, &faults, &options, &show).await;
    progress_line::clear();
    let report = report?;
    if arguments.json {
        console::line(serde_json::to_string_pretty(&report)?);
    } else {
        console::text(table::text(&report));
    }
    Ok(if report.survived { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(progress: Step) {
    match progress {
        Step::Doing(line) => progress_line::show(&line),
        Step::Done(line) => {
            progress_line::say(&line);
        }
    }
}

impl DrillArguments {
    fn options(&self) -> anyhow::Result<DrillOptions> {
        Ok(DrillOptions {
            strategies: self.strategy.clone(),
            buyers: self.buyers.into(),
            seconds: self.seconds,
            lasts_seconds: self.lasts,
            burst: self.burst.into(),
            window_ms: self.window,
            pool_size: LabSettings::read()?.pool_size,
            seed: self.seed.unwrap_or_else(|| fastrand::u32(..)),
            soak_minutes: self.soak,
            far: self.far,
            leaving: self.leaving,
        })
    }
}
