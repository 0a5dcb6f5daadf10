//! An exploration that was started from the dashboard: what it tells while it runs.

use std::sync::{Mutex, PoisonError};

use flash_sale_dashboard::engine_messages::{EngineMessage, ExploredSchedule, ExploredSchedules, Progress};
use flash_sale_dashboard::{ExploreOrder, Heard};
use flash_sale_explorer::{Exploration, Note, Schedule, explore};
use flash_sale_testbed::reason::told;
use tokio::sync::mpsc;

use super::own_stage::{OwnStage, options};
use crate::explore::played::worst;

/// So many schedules are shown. A page with more would be slow.
const SHOWN: usize = 2000;
/// Its progress is told after so many schedules.
const BETWEEN_MESSAGES: usize = 20;

/// Explores, and tells the page what is found. An error is told as well.
pub(super) async fn run(stage: &OwnStage, order: &ExploreOrder, sender: &mpsc::Sender<Heard>) {
    let heard = match explored(stage, order, sender).await {
        Ok(explored) => Heard::Message(Box::new(EngineMessage::Explored(explored))),
        Err(error) => Heard::Line(format!("error: {}", told(&error))),
    };
    // Nobody may look any more.
    let _ = sender.send(heard).await;
}

async fn explored(
    own: &OwnStage,
    order: &ExploreOrder,
    sender: &mpsc::Sender<Heard>,
) -> anyhow::Result<ExploredSchedules> {
    let mut turn = own.take_turn().await?;
    let mut kept = own.ready(&mut turn).await?;
    let schedules: Mutex<Vec<ExploredSchedule>> = Mutex::default();
    let advance = |exploration: &Exploration, schedule: &Schedule| {
        let mut schedules = schedules.lock().unwrap_or_else(PoisonError::into_inner);
        if schedules.len() < SHOWN {
            schedules.push(explored_schedule(schedule));
        }
        if exploration.schedules.is_multiple_of(BETWEEN_MESSAGES) {
            let progress = Progress { doing: "schedules".to_owned(), done: exploration.schedules, all: 0 };
            // A page that is slow misses a message.
            let _ = sender.try_send(Heard::Message(Box::new(EngineMessage::Progress(progress))));
        }
    };
    let options = options(order);
    let exploration = explore(&mut kept.stage, &options, &advance).await?;
    OwnStage::keep(&mut turn, kept);
    let newer = own.newer_sources().into_iter().take(1).map(|source| {
        format!("This is the shop as it was built. Since then, {source} has changed. Build it: make build")
    });
    let chance = (options.all_dice().len() > 1).then(|| {
        let command = format!("make explore ARGS=\"--strategy {} --stock {}\"", order.strategy, order.copies);
        format!(
            "Here, both purchases choose the first bucket. All that chance may choose is played by: {command}"
        )
    });
    let notes =
        exploration.notes.iter().map(|(note, times)| format!("{} (schedules: {times})", words(*note)));
    Ok(ExploredSchedules {
        is_complete: exploration.complete,
        seconds: exploration.seconds,
        played: exploration.schedules,
        schedules: schedules.into_inner().unwrap_or_else(PoisonError::into_inner),
        notes: newer.chain(chance).chain(notes).collect(),
    })
}

fn explored_schedule(schedule: &Schedule) -> ExploredSchedule {
    ExploredSchedule {
        letters: schedule.letters(),
        flaw: worst(&schedule.outcome.flaws),
        has_waited: schedule.has_waited(),
        left: schedule.outcome.left,
        orders: schedule.outcome.orders,
        answers: schedule.outcome.statuses.clone(),
    }
}

fn words(note: Note) -> &'static str {
    match note {
        Note::WaitedInTheShop => {
            "A purchase waited inside the shop, and not in PostgreSQL. The explorer can't see for what"
        }
        Note::LeftOpen => "A transaction was still open after its buyer's answer",
        Note::SeveralAtOnce => {
            "A purchase had several statements at once. They went on in the order in which they came"
        }
        Note::RepeatedAttempt => {
            "An attempt was left out: it would have repeated the last one, with the same result"
        }
    }
}
