//! `lab predict`: one purchase on each replica, one after the other, the pairs of statements of the first one that could
//! do harm, and what of that comes true.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::ensure;
use clap::Args;
use flash_sale_diagnosis::reading::Sent;
use flash_sale_diagnosis::{Prediction, Reading};
use flash_sale_explorer::{ExploreOptions, Schedule, Stage, Step};
use flash_sale_wiretap::trace::Transaction;

use super::{NOT_JUDGED, built_shop, until_stopped};
use crate::console;
use crate::explore::columns;
use crate::explore::requests::require_known_strategy;
use crate::predict::report::{BUYERS, Broken, Confirmed, PredictReport};
use crate::{project, stage};

pub use super::explore::tell_error;

/// What is predicted.
#[derive(Args)]
#[command(
    after_help = "The purchases are made on a PostgreSQL and on replicas of their own. Exit code: 0 no harm was found, 1 harm \
                  was found, 2 nothing was predicted: the shop \
                  doesn't compile, or a buyer who is alone gets no copy."
)]
pub struct PredictArguments {
    /// A way to sell, as make race ARGS=--list names it [default: what the shop does by itself]
    #[arg(long)]
    strategy: Option<String>,
    /// Print one JSON object, whatever happens; error, when nothing was predicted
    #[arg(long)]
    pub json: bool,
}

/// Builds, makes one purchase on each replica, predicts, and plays what was predicted. Fails when harm was found.
///
/// # Errors
/// When the shop doesn't compile, the stage doesn't open, the first purchase sends nothing, or a signal ends it.
pub async fn predict(arguments: PredictArguments) -> anyhow::Result<ExitCode> {
    until_stopped("make predict", play(&arguments)).await
}

async fn play(arguments: &PredictArguments) -> anyhow::Result<ExitCode> {
    let path = built_shop().await?;
    let mut stage = Stage::open(&stage::settings(&path, BUYERS)?).await?;
    let strategy = arguments.strategy.as_deref();
    let both = ExploreOptions::of_purchases(strategy, BUYERS, 1);
    require_known_strategy(&both.acts, &stage.strategies().await?)?;

    let began = Instant::now();
    // Without letters, the first purchase is over before the second one begins.
    let (schedule, transactions) = taped(&mut stage, async |stage| stage.replay(&both, "").await).await?;
    let [reading, other] = ["replica-1", "replica-2"]
        .map(|replica| Reading::of(transactions.iter().filter(|transaction| transaction.replica == replica)));
    require_the_same_steps(&schedule, &reading)?;
    let prediction = Prediction::of(&reading, Some(&other));
    let played = |schedule: Schedule, transactions: &[Transaction]| {
        let columns = columns::write(&schedule, &both.acts, transactions);
        schedule.outcome.breaks_a_rule().then_some(Broken { schedule, columns })
    };
    let status = schedule.replies.first().and_then(|reply| reply.status);
    let in_turn = played(schedule, &transactions);
    let mut confirmed = Vec::new();
    for suspicion in &prediction.suspicions {
        let steps = suspicion.statements_before();
        let (schedule, transactions) =
            taped(&mut stage, async |stage| stage.interrupt(&both, steps).await).await?;
        let broken = played(schedule, &transactions);
        confirmed.extend(broken.and_then(|broken| Confirmed::of(*suspicion, broken)));
    }
    let report = PredictReport {
        reading,
        status,
        prediction,
        confirmed,
        in_turn,
        arguments: strategy.map(|name| format!(" --strategy {name}")).unwrap_or_default(),
        seconds: began.elapsed().as_secs_f64(),
    };
    if arguments.json {
        console::line(format_args!("{:#}", report.to_json()));
    } else {
        console::text(report.text());
    }
    Ok(match (report.is_guilty(), report.has_sold()) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(NOT_JUDGED),
    })
}

/// Plays, and returns what the wire saw meanwhile as well.
async fn taped(
    stage: &mut Stage,
    play: impl AsyncFnOnce(&mut Stage) -> anyhow::Result<Schedule>,
) -> anyhow::Result<(Schedule, Vec<Transaction>)> {
    let before = stage.recorder().newest_number();
    let schedule = play(stage).await?;
    let mut transactions = stage.recorder().since(before);
    // A connection is cleaned after its user. That is none of a purchase's statements.
    transactions.retain(|transaction| !transaction.only_cleans());
    Ok((schedule, transactions))
}

/// The steps of the first purchase that are played are counted as the statements that were read.
fn require_the_same_steps(schedule: &Schedule, reading: &Reading) -> anyhow::Result<()> {
    ensure!(
        !reading.statements.is_empty(),
        "the purchase sent no statement, so nothing can be predicted from it. Look at {}/logs",
        project::EXPLORER
    );
    // The wire cuts very long SQL.
    let is_it = |(step, sent): (&Step, &Sent)| step.sql.starts_with(sent.sql.trim_end_matches('…'));
    let steps: Vec<&Step> = schedule.steps.iter().filter(|step| step.actor == 0).collect();
    let is_same =
        steps.len() == reading.statements.len() && steps.into_iter().zip(&reading.statements).all(is_it);
    ensure!(is_same, "the wire did not see the purchase's statements in the order in which they were played");
    Ok(())
}
