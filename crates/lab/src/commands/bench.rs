//! `lab bench`: how much each strategy sells in a second, beside pgbench on the same server.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use flash_sale_testbed::open_files::{self, BESIDE_CONNECTIONS};
use indicatif::{ProgressBar, ProgressStyle};

use super::{NOT_BUILT, until_stopped};
use crate::bench::guide_part::GuidePart;
use crate::bench::options::BenchOptions;
use crate::bench::pgbench::MOST_PRODUCTS;
use crate::bench::{self, chart_files, definitions, table};
use crate::build::{Show, build, build_release};
use crate::console;
use crate::project;

/// The files that a buyer has open in the lab: its connection, and the gateway's two ends of it.
const FILES_OF_A_BUYER: u64 = 3;
/// The most buyers that can be asked for.
const MOST_BUYERS: usize = 4096;

/// What is measured, and how.
#[derive(Args)]
#[command(after_help = definitions::text())]
pub struct BenchArguments {
    /// Every strategy, 16 buyers, one product, 5 rounds of 0.9 s: under two minutes. This is the default
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Every strategy with 1, 4, 16, 64 and 256 buyers and with 1 and 64 products, 3 rounds each: under 15 minutes
    #[arg(long)]
    full: bool,
    /// Which strategies, as pessimistic,nowait; "exercise" is what the shop does by itself [default: all]
    #[arg(long, value_delimiter = ',')]
    strategy: Vec<String>,
    /// How many buyers at once; several numbers, as 1,16, have rounds of their own [default: 16]
    #[arg(long, value_delimiter = ',', value_parser = buyers)]
    buyers: Vec<usize>,
    /// How many products; several numbers, as 1,64, have rounds of their own [default: 1]
    #[arg(long, value_delimiter = ',', value_parser = products)]
    products: Vec<usize>,
    /// Rounds for each strategy [default: 5]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
    /// How long a round is
    #[arg(long, default_value_t = 0.9, value_parser = seconds)]
    seconds: f64,
    /// Open loop: so many purchases are due in a second, and each wait counts from then
    #[arg(long, value_parser = rate)]
    rate: Option<f64>,
    /// Leave pgbench out
    #[arg(long)]
    no_pgbench: bool,
    /// Measure the development build, which is slower
    #[arg(long)]
    dev: bool,
    /// Print one JSON object: is_right, options, conditions, rows; or error, when nothing was measured
    #[arg(long)]
    pub json: bool,
    /// Write a line of CSV for each row to this file, too
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write charts to this folder, too, as SVG: for each crowd what was sold and the processor time, and over the buyers
    #[arg(long, value_name = "FOLDER")]
    charts: Option<PathBuf>,
    /// Write the table, and links to the charts, into this document, between its two lines "Written by make bench"
    #[arg(long, value_name = "FILE", requires = "charts")]
    guide: Option<PathBuf>,
    /// The shop's release build, which was made just now
    #[arg(long, hide = true)]
    built: Option<PathBuf>,
}

/// Builds for release, measures a shop of its own, and prints what was measured. Fails when a ledger is wrong.
///
/// # Errors
/// When nothing was measured.
pub async fn bench(arguments: BenchArguments) -> anyhow::Result<ExitCode> {
    let options = arguments.options();
    let most = options.buyers.iter().copied().max().unwrap_or_default();
    let files = FILES_OF_A_BUYER * most as u64 + BESIDE_CONNECTIONS;
    open_files::require(files, &format!("{most} buyers at once need"))?;
    project::make_folders()?;
    if !arguments.dev && arguments.built.is_none() {
        return Err(go_on_as_release().await);
    }
    until_stopped("make bench", play(&arguments, &options)).await
}

/// Builds the lab and the shop for release, and goes on as the new lab: its process is the gateway and the load, which
/// would be slow in a development build. Returns only when that fails.
async fn go_on_as_release() -> anyhow::Error {
    let began = Instant::now();
    console::error_line("Building for release. The first time, this takes several minutes.");
    let built = match build_release().await {
        Ok(Some(built)) => built,
        Ok(None) => return anyhow::anyhow!(NOT_BUILT),
        Err(error) => return error,
    };
    console::error_line(format_args!("Built in {:.0} s.", began.elapsed().as_secs_f64()));
    let given = std::env::args_os().skip(1);
    let error = Command::new(&built.lab).args(given).arg("--built").arg(&built.shop).exec();
    anyhow::Error::new(error).context(format!("can't start {}", built.lab.display()))
}

async fn play(arguments: &BenchArguments, options: &BenchOptions) -> anyhow::Result<ExitCode> {
    let shop = match &arguments.built {
        Some(shop) => shop.clone(),
        None => build(Show::All).await?.context(NOT_BUILT)?.path,
    };
    // A file that can't be written must be known before minutes of measuring.
    if let Some(file) = &arguments.csv {
        write(file, "")?;
    }
    if let Some(folder) = &arguments.charts {
        chart_files::make_folder(folder)?;
    }
    let part = arguments.guide.as_deref().map(GuidePart::find).transpose()?;
    let bar = progress_bar();
    let advance = |name: &str, done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        bar.set_message(name.to_owned());
    };
    let report = bench::run(&shop, options, &advance).await;
    bar.finish_and_clear();
    let report = report?;
    if let Some(file) = &arguments.csv {
        write(file, &report.to_csv()?)?;
    }
    if let Some(folder) = &arguments.charts {
        let charts = chart_files::drawn(&report)?;
        chart_files::write(folder, &charts)?;
        if let Some(part) = part {
            part.write(&report, &charts, folder)?;
        }
    }
    if arguments.json {
        console::line(serde_json::to_string_pretty(&report)?);
    } else {
        console::text(table::text(&report));
    }
    Ok(if report.is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("can't write {}", file.display()))
}

/// A bar on standard error. It shows nothing when standard error is no terminal.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} round {pos} of {len}, {eta} left: {msg}");
    let bar = ProgressBar::new(1).with_style(style.expect("the template is right"));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

impl BenchArguments {
    fn options(&self) -> BenchOptions {
        let (buyers, products, rounds) =
            if self.full { (vec![1, 4, 16, 64, 256], vec![1, 64], 3) } else { (vec![16], vec![1], 5) };
        let or = |given: &Vec<usize>, usual| if given.is_empty() { usual } else { given.clone() };
        BenchOptions {
            strategies: self.strategy.clone(),
            buyers: or(&self.buyers, buyers),
            products: or(&self.products, products),
            rounds: self.rounds.unwrap_or(rounds).into(),
            seconds: self.seconds,
            rate: self.rate,
            pgbench: !self.no_pgbench,
            release: !self.dev,
        }
    }
}

fn buyers(text: &str) -> anyhow::Result<usize> {
    number(text, MOST_BUYERS)
}

fn products(text: &str) -> anyhow::Result<usize> {
    number(text, MOST_PRODUCTS)
}

fn number(text: &str, most: usize) -> anyhow::Result<usize> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.with_context(|| format!("expected a whole number from 1 to {most}"))
}

fn seconds(text: &str) -> anyhow::Result<f64> {
    let seconds: f64 = text.parse().context("expected a number of seconds")?;
    ensure!((0.1..=60.0).contains(&seconds), "expected from 0.1 to 60 seconds");
    Ok(seconds)
}

fn rate(text: &str) -> anyhow::Result<f64> {
    let rate: f64 = text.parse().context("expected a number")?;
    ensure!((1.0..=1_000_000.0).contains(&rate), "expected from 1 to 1000000 purchases a second");
    Ok(rate)
}
