//! `lab check`: is your fix a fix?

use std::process::ExitCode;

use clap::Args;

use super::progress_line;
use super::status::running;
use crate::check::target::Target;
use crate::check::unbuilt::find_edit;
use crate::check::verdict::{Check, Report, Verdict};
use crate::check::{self, Options};
use crate::wrap::wrapped;

/// The widest line that is printed.
const WIDTH: usize = 108;
const MARK_WIDTH: usize = 8;
const NAME_WIDTH: usize = 27;

/// How to judge, and what.
#[derive(Args)]
pub struct CheckArguments {
    /// Print one JSON object: verdict, closing, checks, figures
    #[arg(long)]
    json: bool,
    /// Let the database have a CHECK constraint, or another rule of its own
    #[arg(long)]
    allow_constraint: bool,
    /// How many clicks on Buy Now
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// A shop that this lab doesn't run, as http://gateway:3000, on the database that DATABASE_URL names
    #[arg(long)]
    url: Option<String>,
}

impl CheckArguments {
    /// Whether the lab of this folder runs what is judged.
    pub fn is_here(&self) -> bool {
        self.url.is_none()
    }
}

/// Judges the running shop, and prints what was found. Fails unless all is as it should be.
///
/// # Errors
/// When it can't be judged.
pub async fn check(arguments: CheckArguments) -> anyhow::Result<ExitCode> {
    let CheckArguments { json, allow_constraint, rounds, url } = arguments;
    let target = match url {
        Some(url) => Target::elsewhere(url)?,
        None => {
            let status = running().await?;
            if let Some(file) = find_edit(&status) {
                let file = file.display();
                eprintln!("note: {file} was changed after the shop had started. To judge that: make build");
            }
            Target::of(&status)?
        }
    };
    let options = Options { rounds: rounds.into(), allow_constraint };
    let report = check::run(&target, options, &progress_line::show).await;
    progress_line::clear();
    let report = report?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", text(&report));
    }
    Ok(if report.verdict == Verdict::Fixed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(report: &Report) -> String {
    let checks: String = report.checks.iter().map(lines).collect();
    format!("{checks}\n{} ({:.1} s)\n", report.closing, report.figures.seconds)
}

fn lines(check: &Check) -> String {
    let mark = if check.passed { "ok" } else { "FAILED" };
    let indent = MARK_WIDTH + NAME_WIDTH;
    let seen = wrapped(&check.seen, WIDTH - indent).join(&format!("\n{:indent$}", ""));
    let mut text = format!("{mark:<MARK_WIDTH$}{:<NAME_WIDTH$}{seen}\n", check.name);
    for line in check.meaning.iter().flat_map(|meaning| wrapped(meaning, WIDTH - MARK_WIDTH)) {
        text.push_str(&format!("{:MARK_WIDTH$}{line}\n", ""));
    }
    text
}
