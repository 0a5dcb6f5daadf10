//! `/explore`: two purchases, in every order of their statements. GET shows the form and the last exploration, POST
//! starts or stops one.

pub mod form;
mod groups;
pub mod schedule;

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::{Bytes, Data, Path};
use askama::Template;

use super::answer;
use crate::engine_messages::ExploredSchedules;
use crate::explore_order::ExploreOrder;
use crate::problem::Problem;
use crate::rooms::Order;
use crate::run::{Run, RunKind};
use crate::runs::Runs;
use crate::settings::DashboardSettings;
use form::ExploreForm;
use groups::{ScheduleGroup, groups};

/// `lab/explore.html`
#[derive(Template)]
#[template(path = "lab/explore.html")]
struct ExplorePage<'a> {
    shop_url: &'a str,
    news: u64,
    /// What runs. Nothing else can be started then.
    under_way: Option<Run>,
    form: Result<ExploreForm, String>,
    exploration: Option<ShownExploration>,
    older: Vec<OlderExploration>,
}

/// An exploration that is shown.
struct ShownExploration {
    run: Run,
    what: String,
    began_at: String,
    seconds: String,
    closing: String,
    is_right: bool,
    groups: Vec<ScheduleGroup>,
    left_out: usize,
    notes: Vec<String>,
}

/// An exploration that was made before.
struct OlderExploration {
    number: u64,
    began_at: String,
    summary: String,
}

/// The form, and the last exploration.
pub async fn show(runs: Data<Runs>, settings: Data<DashboardSettings>) -> Result<HttpResponse, Problem> {
    page(&runs, &settings, None).await
}

/// The form, and this exploration.
pub async fn show_one(
    runs: Data<Runs>,
    settings: Data<DashboardSettings>,
    number: Path<u64>,
) -> Result<HttpResponse, Problem> {
    page(&runs, &settings, Some(*number)).await
}

/// Starts an exploration. With `do=stop`, stops what runs.
pub async fn start_or_stop(runs: Data<Runs>, form: Bytes) -> Result<HttpResponse, Problem> {
    if super::asks_to_stop(&form) {
        runs.stop();
    } else {
        let order = form::parse(&form)?;
        runs.start(Order::Explore(order)).await?;
    }
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, "/explore")).finish())
}

async fn page(
    runs: &Runs,
    settings: &DashboardSettings,
    number: Option<u64>,
) -> Result<HttpResponse, Problem> {
    let news = *runs.news().borrow();
    let explorations = runs.all(RunKind::Exploration);
    let exploration = super::chosen(&explorations, number)?;
    let last = explorations.iter().find_map(order_of);
    let form = runs.engine().strategies().await.map(|choices| ExploreForm::of(choices, last));
    let older =
        explorations.iter().filter(|other| exploration.is_none_or(|shown| shown.number != other.number));
    answer(&ExplorePage {
        shop_url: &settings.shop_url,
        news,
        under_way: runs.under_way(),
        form,
        exploration: exploration.map(ShownExploration::of),
        older: older.map(OlderExploration::of).collect(),
    })
}

fn order_of(run: &Run) -> Option<&ExploreOrder> {
    match &run.order {
        Order::Explore(order) => Some(order),
        Order::Check | Order::Race(_) | Order::SlowMotion => None,
    }
}

impl ShownExploration {
    fn of(run: &Run) -> Self {
        let explored = run.explored.as_ref();
        let schedules = explored.map(|explored| explored.schedules.as_slice()).unwrap_or_default();
        Self {
            what: order_of(run).map(ExploreOrder::in_words).unwrap_or_default(),
            began_at: run.began_at.format("%H:%M:%S").to_string(),
            seconds: explored
                .map_or_else(|| super::seconds(run), |explored| format!("{:.1}", explored.seconds)),
            closing: explored.map(closing).unwrap_or_default(),
            is_right: schedules.iter().all(|schedule| schedule.flaw.is_none()),
            groups: groups(schedules),
            left_out: explored.map_or(0, |explored| explored.played - explored.schedules.len()),
            notes: explored.map(|explored| explored.notes.clone()).unwrap_or_default(),
            run: run.clone(),
        }
    }
}

/// What was found, in a sentence.
fn closing(explored: &ExploredSchedules) -> String {
    let broken = explored.schedules.iter().filter(|schedule| schedule.flaw.is_some()).count();
    let waited = explored.schedules.iter().filter(|schedule| schedule.has_waited).count();
    let all = if explored.is_complete { "All" } else { "Not all: the first" };
    format!(
        "{all} {} schedules were played. {broken} broke a rule. In {waited}, a purchase waited for the other one.",
        explored.played
    )
}

impl OlderExploration {
    fn of(run: &Run) -> Self {
        let what = order_of(run).map(ExploreOrder::in_words).unwrap_or_default();
        let found = match &run.explored {
            Some(explored) => closing(explored),
            None => super::why_without_result(run),
        };
        Self {
            number: run.number,
            began_at: run.began_at.format("%H:%M:%S").to_string(),
            summary: format!("{what}. {found}"),
        }
    }
}
