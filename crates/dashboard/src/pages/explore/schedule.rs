//! `GET /explore/{number}/{letters}?step=k`: one schedule of an exploration, played again, with the steps one after the
//! other. `GET /explore/{number}/{letters}/swap/{k}`: the schedule in which two neighbouring steps are swapped, beside it.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Query};
use askama::Template;
use serde::Deserialize;

use super::super::answer;
use super::groups::words;
use super::order_of;
use crate::click_view::ClickView;
use crate::explore_order::ExploreOrder;
use crate::picture::Links;
use crate::played::{NotPlayed, PlayOrder, Played, parse_letters};
use crate::played_view::{LookView, StepView, click_of, step_views};
use crate::plays::Plays;
use crate::problem::Problem;
use crate::run::RunKind;
use crate::runs::Runs;
use crate::settings::DashboardSettings;

/// `lab/schedule.html`
#[derive(Template)]
#[template(path = "lab/schedule.html")]
struct SchedulePage<'a> {
    shop_url: &'a str,
    number: u64,
    what: String,
    /// The path of this schedule.
    base: String,
    shown: ShownSchedule,
    /// Where the reader stands: after so many steps.
    at: usize,
    look: LookView,
    steps: Vec<StepView>,
}

/// `lab/swapped.html`
#[derive(Template)]
#[template(path = "lab/swapped.html")]
struct SwappedPage<'a> {
    shop_url: &'a str,
    number: u64,
    step: usize,
    shown: Vec<ShownSchedule>,
    /// Why there is no other schedule.
    not_possible: Option<String>,
}

/// A schedule that was played.
struct ShownSchedule {
    letters: String,
    outcome: String,
    is_right: bool,
    /// `None`: nothing passed the wire.
    click: Option<ClickView>,
    newer_sources: Vec<String>,
}

/// The query of a schedule's page.
#[derive(Deserialize)]
pub struct At {
    step: Option<usize>,
}

/// The schedule, after so many steps. Without `step`, after the last one.
pub async fn show(
    runs: Data<Runs>,
    plays: Data<Plays>,
    settings: Data<DashboardSettings>,
    path: Path<(u64, String)>,
    at: Query<At>,
) -> Result<HttpResponse, Problem> {
    let (number, letters) = path.into_inner();
    let order = purchases(&runs, number)?;
    let what = order.in_words();
    let played = play_again(&plays, number, &order, &letters).await?;
    let at = at.step.unwrap_or(played.steps.len()).min(played.steps.len());
    let steps = step_views(&played, at);
    answer(&SchedulePage {
        shop_url: &settings.shop_url,
        number,
        what,
        base: format!("/explore/{number}/{}", played.letters()),
        at,
        look: LookView::at(&played, at),
        steps,
        shown: ShownSchedule::of(&played)?,
    })
}

/// The schedule, and the one in which step `k` and the next one are swapped.
pub async fn swap(
    runs: Data<Runs>,
    plays: Data<Plays>,
    settings: Data<DashboardSettings>,
    path: Path<(u64, String, usize)>,
) -> Result<HttpResponse, Problem> {
    let (number, letters, step) = path.into_inner();
    let order = purchases(&runs, number)?;
    let mut steps = parse_letters(&letters).ok_or_else(|| no_such_schedule(&letters))?;
    if step == 0 || step >= steps.len() || steps[step - 1] == steps[step] {
        let detail = format!("Step {step} and the next one can't be swapped: they belong to one purchase");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    let one = play_again(&plays, number, &order, &letters).await?;
    steps.swap(step - 1, step);
    let swapped = PlayOrder { purchases: order, steps, fixed: step + 1, is_to_the_end: true };
    let (shown, not_possible) = match plays.of_exploration(number, swapped).await {
        Ok(other) => (vec![ShownSchedule::of(&one)?, ShownSchedule::of(&other)?], None),
        Err(NotPlayed::NotPossible(reason)) => (vec![ShownSchedule::of(&one)?], Some(reason)),
        Err(reason) => return Err(reason.into()),
    };
    answer(&SwappedPage { shop_url: &settings.shop_url, number, step, shown, not_possible })
}

async fn play_again(
    plays: &Plays,
    number: u64,
    order: &ExploreOrder,
    letters: &str,
) -> Result<Arc<Played>, Problem> {
    let steps = parse_letters(letters).ok_or_else(|| no_such_schedule(letters))?;
    let order = PlayOrder { purchases: order.clone(), fixed: steps.len(), steps, is_to_the_end: true };
    let played = plays.of_exploration(number, order).await;
    played.map_err(|reason| match reason {
        NotPlayed::NotPossible(reason) => {
            let detail = format!(
                "There is no schedule {letters} now: {reason}. If you have changed the shop, explore again"
            );
            Problem::new(StatusCode::NOT_FOUND, detail)
        }
        reason => reason.into(),
    })
}

fn purchases(runs: &Runs, number: u64) -> Result<ExploreOrder, Problem> {
    let run = runs.all(RunKind::Exploration).into_iter().find(|run| run.number == number);
    run.as_ref().and_then(order_of).cloned().ok_or_else(|| super::super::no_such_run(number))
}

fn no_such_schedule(letters: &str) -> Problem {
    let letters: String = letters.chars().take(40).collect();
    let detail =
        format!("A schedule consists of the letters A and B, as ABBA. {letters} has others, or too many");
    Problem::new(StatusCode::NOT_FOUND, detail)
}

impl ShownSchedule {
    fn of(played: &Played) -> Result<Self, Problem> {
        let click = click_of(played).map(|click| ClickView::of(&click, Links::SamePage)).transpose();
        let outcome = played.outcome.as_ref();
        let said = outcome.map(|outcome| {
            let answers: Vec<String> = played
                .answers
                .iter()
                .map(|answer| answer.map_or_else(|| "none".to_owned(), |status| status.to_string()))
                .collect();
            let (words, answers) = (words(outcome.flaw), answers.join(" and "));
            format!("{words}. Orders: {}, stock: {}, answers: {answers}", outcome.orders, outcome.left)
        });
        Ok(Self {
            letters: played.letters(),
            outcome: said.unwrap_or_default(),
            is_right: outcome.is_some_and(|outcome| outcome.flaw.is_none()),
            click: click.map_err(|error| Problem::internal(&error))?,
            newer_sources: played.newer_sources.clone(),
        })
    }
}
