//! `lab explore`: a few requests to the shop as its files are now, in every order in which their statements can follow
//! one another. The shop that runs is not disturbed, and none need run.

mod arguments;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub use arguments::ExploreArguments;

use anyhow::bail;
use flash_sale_explorer::{
    Exploration, ExploreOptions, Flaw, Schedule, Stage, TroubleKind, explore_all_dice,
};
use flash_sale_testbed::reason::told;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{NOT_JUDGED, built_shop, until_stopped};
use crate::console;
use crate::explore::certificate::{Certificate, Subject};
use crate::explore::columns;
use crate::explore::report::{
    ExploreReport, ShownSchedule, outcome_in_words, replay_command, schedule_in_json,
};
use crate::explore::requests::require_known_strategy;
use crate::{project, stage};

/// Otherwise a claim about the trouble would be empty.
const NOTHING_BEFELL: &str =
    "A never sends so many statements, so nothing has befallen it. Choose a smaller number for --at";

/// Builds, explores, and prints what was found. Fails when a rule is broken.
///
/// # Errors
/// When the shop doesn't compile, the stage doesn't open, a schedule can't be played, or a signal ends it.
pub async fn explore(arguments: ExploreArguments) -> anyhow::Result<ExitCode> {
    until_stopped("make explore", play(&arguments)).await
}

/// Says why nothing was explored; with `json`, as an object too.
pub fn tell_error(error: &anyhow::Error, json: bool) -> ExitCode {
    let reason = told(error);
    console::error_line(format_args!("error: {reason}"));
    if json {
        console::line(format_args!("{:#}", json!({ "error": reason })));
    }
    ExitCode::from(NOT_JUDGED)
}

async fn play(arguments: &ExploreArguments) -> anyhow::Result<ExitCode> {
    arguments.require_place_of_trouble()?;
    let path = built_shop().await?;
    let options = arguments.options();
    let bar = progress_bar();
    let mut stage = Stage::open(&stage::settings(&path, options.acts.len())?).await?;
    require_known_strategy(&options.acts, &stage.strategies().await?)?;
    if let Some(letters) = &arguments.replay {
        let (schedule, columns) = replay(&mut stage, &options, letters).await?;
        bar.finish_and_clear();
        return print_schedule(arguments, &options, &schedule, &columns);
    }
    let subject = Subject::of(Path::new("."), &path)?;
    let exploration = explore_with(&mut stage, &options, arguments.trouble(), &bar).await?;
    require_a_sale(&exploration)?;
    let mut shown = None;
    if let Some(schedule) = exploration.counterexample.as_ref().or(exploration.example.as_ref()) {
        let (letters, trouble) = (schedule.letters(), schedule.trouble());
        let options = ExploreOptions { trouble, ..options.clone() };
        let (_, columns) = replay(&mut stage, &options, &letters).await?;
        let command = replay_command(&arguments.of_replay(trouble), &letters);
        shown = Some(ShownSchedule { letters, columns, command });
    }
    let facts = stage.database_facts().await?;
    bar.finish_and_clear();
    let certificate = Certificate::of(subject, facts, &options, arguments.trouble(), &exploration);
    let report = ExploreReport { exploration, certificate, shown };
    if arguments.json {
        console::line(format_args!("{:#}", report.to_json()?));
    } else {
        console::text(report.text());
    }
    Ok(if report.is_refuted() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Explores. A trouble without a place comes once at each statement of A.
async fn explore_with(
    stage: &mut Stage,
    options: &ExploreOptions,
    trouble: Option<TroubleKind>,
    bar: &ProgressBar,
) -> anyhow::Result<Exploration> {
    let oversold = AtomicUsize::new(0);
    let advance = |_: &Exploration, schedule: &Schedule| {
        bar.inc(1);
        if schedule.outcome.flaws.contains(&Flaw::Oversold) {
            let oversold = oversold.fetch_add(1, Ordering::Relaxed) + 1;
            bar.set_message(format!("({oversold} oversold)"));
        }
    };
    let exploration = explore_all_dice(stage, options, trouble, &advance).await?;
    if trouble.is_some() && exploration.troubled == 0 {
        bail!("{NOTHING_BEFELL}");
    }
    Ok(exploration)
}

/// Plays a schedule again, and returns it with its columns.
async fn replay(
    stage: &mut Stage,
    options: &ExploreOptions,
    letters: &str,
) -> anyhow::Result<(Schedule, String)> {
    let before = stage.recorder().newest_number();
    let schedule = stage.replay(options, letters).await?;
    if options.trouble.is_some() && !schedule.is_troubled {
        bail!("{NOTHING_BEFELL}");
    }
    let columns = columns::write(&schedule, &options.acts, &stage.recorder().since(before));
    Ok((schedule, columns))
}

/// Where nobody ever gets a copy, no rule is broken, and nothing is shown: the shop may not reach its database.
fn require_a_sale(exploration: &Exploration) -> anyhow::Result<()> {
    let has_sold = exploration.outcomes.iter().any(|(_, orders, ..)| *orders > 0);
    if has_sold || !exploration.is_right() || exploration.schedules == 0 {
        return Ok(());
    }
    let answers: Vec<&str> = exploration.answers.keys().map(String::as_str).collect();
    bail!(
        "no purchase got a copy, so nothing was explored. The answers: {}. Look at {}/logs",
        answers.join(", "),
        project::EXPLORER
    )
}

/// How far it is, on standard error. It shows nothing when standard error is no terminal.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} schedules, {elapsed} {msg}");
    let bar = ProgressBar::new_spinner().with_style(style.expect("the template is right"));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

fn print_schedule(
    arguments: &ExploreArguments,
    options: &ExploreOptions,
    schedule: &Schedule,
    columns: &str,
) -> anyhow::Result<ExitCode> {
    if arguments.json {
        console::line(format_args!("{:#}", schedule_in_json(schedule)?));
    } else {
        let letters = schedule.letters();
        console::text(format_args!("{letters}\n{columns}\n{}\n", outcome_in_words(schedule)));
        let command = replay_command(&arguments.of_replay(options.trouble), &letters);
        console::line(format_args!("Play it again: {command}"));
    }
    Ok(if schedule.outcome.breaks_a_rule() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::explore::made_up::oversold_by;

    /// One schedule in which so many orders were made.
    fn explored(orders: usize) -> Exploration {
        Exploration {
            schedules: 1,
            outcomes: BTreeSet::from([(1, orders, vec![Some(503), Some(503)], BTreeSet::new())]),
            answers: BTreeMap::from([("503 503".to_owned(), 1)]),
            ..Exploration::default()
        }
    }

    #[test]
    fn an_exploration_in_which_nobody_got_a_copy_shows_nothing() {
        let error = require_a_sale(&explored(0)).unwrap_err().to_string();

        assert!(error.starts_with("no purchase got a copy, so nothing was explored"), "{error}");
        assert!(error.contains("The answers: 503 503. Look at .flash-sale/explorer/logs"), "{error}");
    }

    #[test]
    fn a_sale_or_a_broken_rule_shows_something_and_no_schedule_claims_nothing() {
        let counterexample = Some(oversold_by("UPDATE products SET quantity = quantity - 1"));

        assert!(require_a_sale(&explored(1)).is_ok());
        assert!(require_a_sale(&Exploration { counterexample, ..explored(0) }).is_ok());
        assert!(require_a_sale(&Exploration::default()).is_ok());
    }
}
