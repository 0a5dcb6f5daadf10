//! `lab check`: is your fix a fix?

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::bail;
use chrono::Utc;
use clap::Args;
use flash_sale_dashboard::engine_messages::{EngineMessage, FinishedCheck, Progress, SeenCheck};
use flash_sale_testbed::open_files;
use flash_sale_testbed::reason::told;

use super::NOT_JUDGED;
use super::engine_message::{part_of, tell};
use super::progress_line;
use crate::check::failures::tell_reason;
use crate::check::first_error::LogsSince;
use crate::check::up_to_date::{Refusal, running_as_built, still_running};
use crate::check::verdict::{Check, CheckReport, CheckVerdict};
use crate::check::{self, CheckOptions, Listener};
use crate::check::{interleavings, naming};
use crate::console;
use crate::hint;
use crate::project::{LOGS, STATE};
use crate::shop::target::Target;
use crate::wording::counted;
use crate::wrap::wrapped;

/// The widest line that is printed.
const WIDTH: usize = 108;
const MARK_WIDTH: usize = 8;
const NAME_WIDTH: usize = 27;

/// The commands that messages name, each with the command that a shop in containers has instead.
const IN_CONTAINERS: [(&str, &str); 4] = [
    ("make logs", "make docker-logs"),
    ("make build", "make docker-build"),
    ("make check", "make docker-check"),
    ("make status", "docker compose ps"),
];

/// What to read after a fix: the walkthrough, and the title of a section in it. A test makes sure that the section is
/// there.
pub const NEXT_SECTION: (&str, &str) = ("DETONADO.md", "8. In production");

/// How to judge, and what.
#[derive(Args)]
#[command(
    after_help = "Exit code: 0 the verdict is FIXED, 1 it is another one, 2 nothing was judged: no shop runs, its \
                        database can't be asked, the files don't compile (not_built), or the shop that runs was not \
                        built from them (outdated)."
)]
pub struct CheckArguments {
    /// Print one JSON object, whatever happens: verdict, closing, exploration, checks, mistake, why, costs, figures; error, when nothing was judged
    #[arg(long)]
    pub json: bool,
    /// Print one line of JSON for each check as it is finished, and for the verdict
    #[arg(long, hide = true, conflicts_with = "json")]
    events: bool,
    /// Say also where in the code to look; without this option, only after make hint has said it
    #[arg(long)]
    explain: bool,
    /// Let the database have a CHECK constraint, or another rule of its own
    #[arg(long)]
    allow_constraint: bool,
    /// How many clicks on Buy Now
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// A shop that make run has not started, as http://gateway:3000, on the database that DATABASE_URL names
    #[arg(long)]
    url: Option<String>,
}

impl CheckArguments {
    /// Whether the lab of this folder runs the shop that is judged.
    pub fn is_here(&self) -> bool {
        self.url.is_none()
    }
}

/// Judges the running shop, and prints what was found. Fails unless all is as it should be. It resets the shop: the
/// orders of the book are gone afterwards.
///
/// # Errors
/// When the shop can't be judged.
pub async fn check(arguments: CheckArguments) -> anyhow::Result<ExitCode> {
    let is_here = arguments.is_here();
    open_files::require(open_files::FEWEST, "a check needs")?;
    let CheckArguments { json, events, explain, allow_constraint, rounds, url } = arguments;
    let (target, built) = match url {
        Some(url) => (Target::elsewhere(url)?, None),
        None => {
            let (status, built) = running_as_built().await?;
            (Target::of(&status)?, Some(built))
        }
    };
    let binary = built.as_ref().map(|built| built.path.as_path());
    let options = CheckOptions { binary, rounds: rounds.into(), allow_constraint };
    let logs = is_here.then(|| LogsSince::now(LOGS.as_ref()));
    let listener = if events {
        Listener { say: &tell_progress, made: &tell_check }
    } else {
        Listener { say: &progress_line::show, made: &|_, _| {} }
    };
    let report = check::run(&target, options, listener).await;
    progress_line::clear();
    let mut report = match report {
        Err(error) if !is_here => bail!(for_containers(&told(&error))),
        report => report?,
    };
    if let Some(built) = &built {
        still_running(&built.file).await?;
    }
    if let Some(error) = logs.and_then(|logs| logs.first_error()) {
        tell_reason(&mut report.checks, &error);
    }
    let is_explained = explain || (is_here && hint::have_named_the_place(Path::new(STATE)));
    let has_hidden = !is_explained && report.hide_places();
    if events {
        tell(&EngineMessage::Judged(part_of(&report)?));
        return Ok(exit_code(&report));
    }
    let said = if json { serde_json::to_string_pretty(&report)? + "\n" } else { text(&report, has_hidden) };
    console::text(if is_here { said } else { for_containers(&said) });
    Ok(exit_code(&report))
}

fn exit_code(report: &CheckReport) -> ExitCode {
    if report.verdict == CheckVerdict::Fixed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell_progress(doing: &str) {
    tell(&EngineMessage::Progress(Progress { doing: doing.to_owned(), done: 0, all: 0 }));
}

/// Tells a check without the place in the code: the verdict has it, if the person has asked for it.
fn tell_check(check: &Check, began: SystemTime) {
    let Check { name, passed, seen, meaning, .. } = check.clone();
    let check = SeenCheck { name, passed, seen, meaning, place: None };
    tell(&EngineMessage::Check(FinishedCheck { check, from: began.into(), to: Utc::now() }));
}

/// Replaces our commands by those for containers. A shop that this folder's lab doesn't run is one in containers:
/// `make docker-check`.
fn for_containers(text: &str) -> String {
    IN_CONTAINERS.iter().fold(text.to_owned(), |text, (here, there)| text.replace(here, there))
}

/// Says why there is no verdict; with `json`, as an object too. No verdict has this exit code.
pub fn tell_error(error: &anyhow::Error, json: bool) -> ExitCode {
    let reason = told(error);
    console::error_line(format_args!("error: {reason}"));
    if json {
        let verdict =
            error.downcast_ref().map_or(CheckVerdict::NotJudged, |refusal: &Refusal| refusal.verdict());
        let report = serde_json::to_string_pretty(&CheckReport::without_verdict(verdict, reason));
        console::line(report.expect("texts and numbers always become JSON"));
    }
    ExitCode::from(NOT_JUDGED)
}

fn text(report: &CheckReport, has_hidden: bool) -> String {
    let mut said = BTreeSet::new();
    let checks: String = report.checks.iter().map(|check| lines(check, &mut said)).collect();
    let left_out = report.exploration_left_out.as_ref().map(|reason| {
        let name = interleavings::NAME;
        format!("{:<MARK_WIDTH$}{name:<NAME_WIDTH$}left out: {reason}\n", "-")
    });
    let mut text = format!("{}{checks}\n", left_out.unwrap_or_default());
    let mut say = |paragraph: &str, indent: usize| {
        let lines = wrapped(paragraph, WIDTH - indent);
        text.push_str(&format!("{}\n", lines.join(&format!("\n{:indent$}", ""))));
    };
    say(&format!("{} ({:.1} s)", report.closing, report.figures.seconds), 0);
    if let Some(diagnosis) = &report.mistake {
        say(&naming::mistake_in_words(diagnosis), 0);
    }
    if let Some(reason) = &report.mistake_left_out {
        let next = if report.exploration_left_out.is_none() {
            " See the statements of the last click (make timeline), or of every order (make explore)."
        } else {
            ""
        };
        say(&format!("Mistake: it could not be named, because {reason}.{next}"), 0);
    }
    match (&report.why, &report.exploration_left_out) {
        (Some(why), _) => say(&naming::why_in_words(why), 0),
        (None, Some(reason)) if report.verdict == CheckVerdict::Fixed => {
            say(
                &format!("Why it holds could not be seen, because no purchases were played here: {reason}."),
                0,
            );
        }
        _ => {}
    }
    let deleted = report.figures.orders_deleted;
    if deleted > 0 {
        let orders = counted(usize::try_from(deleted).unwrap_or(usize::MAX), "order");
        say(&format!("The check has reset the shop, which deleted {orders}."), 0);
    }
    if has_hidden {
        say("Where in the code to look: make check ARGS=--explain. Or a step at a time: make hint.", 0);
    }
    if report.verdict == CheckVerdict::Fixed {
        say("What it costs, as measured here:", 0);
        report.costs.iter().for_each(|cost| say(&format!("- {cost}"), 2));
        let (guide, title) = NEXT_SECTION;
        say(&format!("What that means, and what else there is: {guide}, section \"{title}\"."), 0);
    }
    text
}

/// The lines of a check. If several checks have the same meaning, only the first one prints it.
fn lines(check: &Check, said: &mut BTreeSet<String>) -> String {
    let mark = if check.passed { "ok" } else { "FAILED" };
    let indent = MARK_WIDTH + NAME_WIDTH;
    let seen = wrapped(&check.seen, WIDTH - indent).join(&format!("\n{:indent$}", ""));
    let mut text = format!("{mark:<MARK_WIDTH$}{:<NAME_WIDTH$}{seen}\n", check.name);
    let meaning = [&check.meaning, &check.place]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ");
    if !said.insert(meaning.clone()) {
        return text;
    }
    for line in wrapped(&meaning, WIDTH - MARK_WIDTH) {
        text.push_str(&format!("{:MARK_WIDTH$}{line}\n", ""));
    }
    text
}
