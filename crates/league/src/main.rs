//! `league`: judges the judges.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::Context;
use clap::Parser;
use flash_sale_lab::{console, project};
use flash_sale_league::catalogue::{only, sample, variants};
use flash_sale_league::kept::Kept;
use flash_sale_league::league::play;
use flash_sale_league::tree::Tree;
use flash_sale_league::{document, summary};

const LANES_PER_PROCESSOR: usize = 4;
const MOST_LANES: u8 = 16;

/// Judges the judges: near-miss fixes of the exercise, each with its true outcome, and what make check, make explore, make
/// predict and a load test say of them.
#[derive(Parser)]
#[command(
    version,
    after_help = "The variants run in copies of this project, in target/league. Exit code: 0 each label agrees with brute \
                  force, 1 it does not, or nothing was judged."
)]
struct Arguments {
    /// List the variants, and judge none
    #[arg(long)]
    list: bool,
    /// Only these variants
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// Only a few variants of all kinds. Fails also when make check errs about one of them
    #[arg(long, conflicts_with = "only")]
    sample: bool,
    /// So many shops at the same time. Without this option, four for each processor
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_LANES)))]
    lanes: Option<u8>,
    /// Go on where an earlier run has ended: only what it has not judged is judged
    #[arg(long = "continue")]
    goes_on: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write the table to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = runtime.context("can't start").and_then(|runtime| runtime.block_on(run(Arguments::parse())));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::error_line(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The wanted number of lanes, or as many as suit this machine.
fn lanes(wanted: Option<u8>) -> usize {
    let processors = available_parallelism().map_or(1, usize::from);
    wanted.map_or((LANES_PER_PROCESSOR * processors).min(MOST_LANES.into()), usize::from)
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    project::enter()?;
    let all = variants()?;
    let names = if arguments.sample { sample() } else { arguments.only.clone() };
    let wanted = only(&names, all.clone())?;
    if arguments.list {
        for variant in &wanted {
            console::line(format_args!(
                "{:<38}{:<22}{}",
                variant.name,
                variant.outcome.in_words(),
                variant.said
            ));
        }
        return Ok(());
    }
    let kept = Kept::of(Tree::of_this_project()?, arguments.goes_on);
    let standings = play(&all, wanted, lanes(arguments.lanes), &kept).await?;
    if let Some(path) = &arguments.write {
        document::write(path, &standings)?;
    }
    if arguments.json {
        console::line(serde_json::to_string_pretty(&standings)?);
    } else {
        console::text(summary::text(&standings));
    }
    standings.require_truth()?;
    if arguments.sample { standings.require_good_verdicts() } else { Ok(()) }
}
