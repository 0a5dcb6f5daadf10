//! `GET /scheduler`: the reader is the scheduler of two purchases. The address holds the steps so far. Each request plays
//! them from the beginning, and nothing is kept between two requests.

use actix_web::HttpResponse;
use actix_web::web::{Data, Query};
use askama::Template;
use flash_sale_diagnosis::sql::label;
use serde::Deserialize;

use super::answer;
use super::explore::form::{self, ExploreForm};
use crate::engine_messages::BrokenRule;
use crate::explore_order::{EXERCISE, ExploreOrder};
use crate::guess::{GuessedRead, reads_the_stock};
use crate::played::{PlayOrder, Played, PlayedOutcome, letter, parse_letters};
use crate::played_view::{LookView, StepView, step_views};
use crate::plays::Plays;
use crate::problem::Problem;
use crate::runs::Runs;
use crate::settings::DashboardSettings;

/// `lab/scheduler.html`
#[derive(Template)]
#[template(path = "lab/scheduler.html")]
struct SchedulerPage<'a> {
    shop_url: &'a str,
    form: Result<ExploreForm, String>,
    strategy: String,
    copies: u32,
    letters: String,
    /// The letters without the last step.
    before_last: Option<String>,
    /// Why nothing was played.
    away: Option<String>,
    look: LookView,
    steps: Vec<StepView>,
    choices: Vec<StepChoice>,
    guessed: Option<GuessedRead>,
    outcome: Option<PlayedOutcome>,
    newer_sources: Vec<String>,
}

/// A purchase that can go on.
struct StepChoice {
    letter: char,
    label: String,
    letters: String,
    /// Whether the reader is asked first what it will read.
    is_asked: bool,
}

/// The query of the page.
#[derive(Deserialize)]
pub struct Steps {
    strategy: Option<String>,
    copies: Option<String>,
    steps: Option<String>,
    guess: Option<String>,
}

/// What is known after these steps.
pub async fn show(
    runs: Data<Runs>,
    plays: Data<Plays>,
    settings: Data<DashboardSettings>,
    query: Query<Steps>,
) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let strategy = query.strategy.as_deref().unwrap_or(EXERCISE);
    let purchases = form::order(strategy, query.copies.as_deref().unwrap_or("1"))?;
    let letters = query.steps.unwrap_or_default();
    let steps = parse_letters(&letters)
        .ok_or_else(|| Problem::unprocessable(&["query", "steps"], "expected the letters A and B"))?;
    let order = PlayOrder { purchases: purchases.clone(), fixed: steps.len(), steps, is_to_the_end: false };
    let (played, away) = match plays.play(order).await {
        Ok(played) => (played, None),
        Err(reason) => (Played::default(), Some(reason.in_words())),
    };
    let guessed = query.guess.as_deref().and_then(|guess| GuessedRead::of(&played, guess));
    answer(&page(&runs, &settings, purchases, letters, played, away, guessed).await)
}

async fn page<'a>(
    runs: &Runs,
    settings: &'a DashboardSettings,
    purchases: ExploreOrder,
    letters: String,
    played: Played,
    away: Option<String>,
    guessed: Option<GuessedRead>,
) -> SchedulerPage<'a> {
    let at = played.steps.len();
    let form = runs.engine().strategies().await.map(|choices| ExploreForm::of(choices, Some(&purchases)));
    SchedulerPage {
        shop_url: &settings.shop_url,
        form,
        before_last: letters.len().checked_sub(1).map(|shorter| letters[..shorter].to_owned()),
        away,
        look: LookView::at(&played, at),
        steps: step_views(&played, at),
        choices: choices(&played, &letters),
        guessed,
        outcome: played.outcome,
        newer_sources: played.newer_sources,
        strategy: purchases.strategy,
        copies: purchases.copies,
        letters,
    }
}

fn choices(played: &Played, letters: &str) -> Vec<StepChoice> {
    let next = played.looks.last().map(|look| look.next.as_slice()).unwrap_or_default();
    let others_have_begun = |actor: usize| played.steps.iter().any(|step| step.actor != actor);
    let choice = |(actor, sql): &(usize, String)| StepChoice {
        letter: letter(*actor),
        label: label(sql),
        letters: format!("{letters}{}", letter(*actor)),
        // The first read of all has no surprise.
        is_asked: reads_the_stock(sql) && others_have_begun(*actor),
    };
    next.iter().map(choice).collect()
}

impl SchedulerPage<'_> {
    /// Whether more copies were sold than there were.
    fn is_oversold(&self) -> bool {
        self.outcome.as_ref().is_some_and(|outcome| outcome.flaw == Some(BrokenRule::Oversold))
    }
}
