//! `lab explore`: a few purchases of the shop as its files are now, in every order in which their statements can follow
//! one another. The shop that runs is not disturbed, and none need run.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use flash_sale_explorer::{
    Act, Exploration, ExploreOptions, Inside, Schedule, Stage, explore as explore_all,
};
use flash_sale_testbed::reason::told;
use flash_sale_wiretap::trace::Transaction;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::NOT_JUDGED;
use crate::build::{ShopBuild, Show, build};
use crate::console;
use crate::explore::certificate::{Certificate, Subject};
use crate::explore::columns;
use crate::explore::report::{ExploreReport, outcome_in_words, replay_command, schedule_in_json};
use crate::signals::end_signal;
use crate::{project, stage};

/// What is explored, and how.
#[derive(Args)]
#[command(
    after_help = "A schedule is one order in which the statements of the purchases follow one another. Exit code: 0 no \
                  rule is broken, 1 a rule is broken, 2 nothing was explored."
)]
pub struct ExploreArguments {
    /// How many purchases
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=3))]
    buyers: u8,
    /// Copies at first
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    stock: u32,
    /// A way to sell, as make race ARGS=--list names it [default: what the shop does by itself]
    #[arg(long)]
    strategy: Option<String>,
    /// Play only this schedule, as AAABBBBBAA: the letters say which purchase goes on at each step
    #[arg(long, value_name = "LETTERS")]
    replay: Option<String>,
    /// Print one JSON object, whatever happens; error, when nothing was explored
    #[arg(long)]
    pub json: bool,
    /// Which statements are also stopped after they have read, and before they write
    #[arg(long, value_enum, default_value = "where-it-reads")]
    inside: InsideArgument,
    /// Leave out schedules from which nothing new can come. So it is for three purchases
    #[arg(long, conflicts_with = "no_reduction")]
    reduction: bool,
    /// Leave out nothing. So it is for two purchases
    #[arg(long)]
    no_reduction: bool,
    /// Begin no schedule after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    time_limit: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum InsideArgument {
    /// None of them
    Never,
    /// Those that both read and write
    WhereItReads,
    /// All that write
    Always,
}

/// Builds, explores, and prints what was found. Fails when a rule is broken.
///
/// # Errors
/// When the shop doesn't compile, the stage doesn't open, a schedule can't be played, or a signal ends it.
pub async fn explore(arguments: ExploreArguments) -> anyhow::Result<ExitCode> {
    tokio::select! {
        // Everything that was started ends with it.
        result = play(&arguments) => result,
        ended = end_signal() => {
            ended?;
            bail!("stopped before the end. Again: make explore")
        }
    }
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
    project::make_folders()?;
    let ShopBuild { path, .. } = build(Show::All).await?.context(
        "the shop doesn't compile: see the compiler's messages above. Correct the code, and run the command again",
    )?;
    let options = arguments.options();
    let bar = progress_bar();
    let mut stage = Stage::open(&stage::settings(&path, options.acts.len())?).await?;
    arguments.require_known_strategy(&stage.strategies().await?)?;
    if let Some(letters) = &arguments.replay {
        let (schedule, columns) = replay(&mut stage, &options, letters).await?;
        bar.finish_and_clear();
        return arguments.print_schedule(&schedule, &columns);
    }
    let subject = Subject::of(Path::new("."), &path)?;
    let exploration = explore_all(&mut stage, &options, &|found, _| show(&bar, found)).await?;
    require_a_sale(&exploration)?;
    let mut shown = None;
    if let Some(schedule) = exploration.counterexample.as_ref().or(exploration.example.as_ref()) {
        let letters = schedule.letters();
        let (_, columns) = replay(&mut stage, &options, &letters).await?;
        shown = Some((letters, columns));
    }
    let facts = stage.database_facts().await?;
    bar.finish_and_clear();
    let certificate = Certificate::of(subject, facts, &options, &exploration);
    let report = ExploreReport { exploration, certificate, shown, arguments: arguments.of_replay() };
    if arguments.json {
        console::line(format_args!("{:#}", report.to_json()?));
    } else {
        console::text(report.text());
    }
    Ok(if report.is_refuted() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Plays a schedule again, and returns it with its columns.
async fn replay(
    stage: &mut Stage,
    options: &ExploreOptions,
    letters: &str,
) -> anyhow::Result<(Schedule, String)> {
    let number = |transaction: &Transaction| transaction.number;
    let before = stage.recorder().all(1).first().map(number).unwrap_or_default();
    let schedule = stage.replay(options, letters).await?;
    let mut transactions = stage.recorder().all(usize::MAX);
    transactions.retain(|transaction| transaction.number > before);
    let columns = columns::write(&schedule, &transactions);
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

fn show(bar: &ProgressBar, found: &Exploration) {
    bar.set_position(found.schedules as u64);
    if found.oversold > 0 {
        bar.set_message(format!("({} oversold)", found.oversold));
    }
}

impl ExploreArguments {
    fn options(&self) -> ExploreOptions {
        let buyers = usize::from(self.buyers);
        ExploreOptions {
            acts: vec![Act::Buy { strategy: self.strategy.clone(), key: None }; buyers],
            stock: self.stock,
            inside: match self.inside {
                InsideArgument::Never => Inside::Never,
                InsideArgument::WhereItReads => Inside::WhereItReads,
                InsideArgument::Always => Inside::Always,
            },
            trouble: None,
            is_reduced: self.reduction || (buyers > 2 && !self.no_reduction),
            time_limit: Duration::from_secs(self.time_limit.into()),
        }
    }

    /// The arguments that a replay of one of the schedules needs, with a space before each.
    fn of_replay(&self) -> String {
        let mut arguments = String::new();
        if self.buyers != 2 {
            arguments.push_str(&format!(" --buyers {}", self.buyers));
        }
        if self.stock != 1 {
            arguments.push_str(&format!(" --stock {}", self.stock));
        }
        if let Some(strategy) = &self.strategy {
            arguments.push_str(&format!(" --strategy {strategy}"));
        }
        match self.inside {
            InsideArgument::Never => arguments.push_str(" --inside never"),
            InsideArgument::WhereItReads => {}
            InsideArgument::Always => arguments.push_str(" --inside always"),
        }
        arguments
    }

    fn require_known_strategy(&self, known: &[String]) -> anyhow::Result<()> {
        match &self.strategy {
            Some(strategy) if !known.contains(strategy) => {
                bail!("the shop knows no strategy {strategy}. It knows: {}", known.join(", "))
            }
            _ => Ok(()),
        }
    }

    fn print_schedule(&self, schedule: &Schedule, columns: &str) -> anyhow::Result<ExitCode> {
        if self.json {
            console::line(format_args!("{:#}", schedule_in_json(schedule)?));
        } else {
            let letters = schedule.letters();
            console::text(format_args!("{letters}\n{columns}\n{}\n", outcome_in_words(schedule)));
            console::line(format_args!("Play it again: {}", replay_command(&self.of_replay(), &letters)));
        }
        Ok(if schedule.outcome.breaks_a_rule() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
