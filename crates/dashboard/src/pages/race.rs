//! `/race`: `make race`, started from here. GET shows the form and the last race, POST starts or stops one.

pub mod compare;
mod form;
mod raced;

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::{Bytes, Data, Path};
use askama::Template;

use super::answer;
use crate::problem::Problem;
use crate::rooms::Order;
use crate::run::{Run, RunKind};
use crate::runs::Runs;
use crate::settings::DashboardSettings;
use form::RaceForm;
use raced::{COLUMNS, ShownRace};

/// `lab/race.html`
#[derive(Template)]
#[template(path = "lab/race.html")]
struct RacePage<'a> {
    shop_url: &'a str,
    news: u64,
    /// What runs. Nothing else can be started then.
    under_way: Option<Run>,
    form: Result<RaceForm, String>,
    race: Option<ShownRace>,
    /// All races with figures, to be compared.
    races: Vec<ListedRace>,
    columns: [&'static str; 10],
}

/// A race in the list.
struct ListedRace {
    number: u64,
    began_at: String,
    summary: String,
    has_figures: bool,
}

/// The form, and the last race.
pub async fn show(runs: Data<Runs>, settings: Data<DashboardSettings>) -> Result<HttpResponse, Problem> {
    page(&runs, &settings, None).await
}

/// The form, and this race.
pub async fn show_one(
    runs: Data<Runs>,
    settings: Data<DashboardSettings>,
    number: Path<u64>,
) -> Result<HttpResponse, Problem> {
    page(&runs, &settings, Some(*number)).await
}

/// Starts a race. With `do=stop`, stops what runs.
pub async fn start_or_stop(runs: Data<Runs>, form: Bytes) -> Result<HttpResponse, Problem> {
    if super::asks_to_stop(&form) {
        runs.stop();
    } else {
        let order = form::parse(&form)?;
        runs.start(Order::Race(order)).await?;
    }
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, "/race")).finish())
}

async fn page(
    runs: &Runs,
    settings: &DashboardSettings,
    number: Option<u64>,
) -> Result<HttpResponse, Problem> {
    let news = *runs.news().borrow();
    let races = runs.all(RunKind::Race);
    let race = super::chosen(&races, number)?;
    let last = races.iter().find_map(|run| match &run.order {
        Order::Race(order) => Some(order),
        Order::Check | Order::Explore(_) | Order::SlowMotion => None,
    });
    let form = runs.engine().strategies().await.map(|choices| RaceForm::of(choices, last));
    answer(&RacePage {
        shop_url: &settings.shop_url,
        news,
        under_way: runs.under_way(),
        form,
        race: race.map(ShownRace::of).transpose()?,
        races: races.iter().map(ListedRace::of).collect(),
        columns: COLUMNS,
    })
}

impl ListedRace {
    fn of(run: &Run) -> Self {
        let what = form::in_words(&run.order);
        let summary = match &run.raced {
            Some(_) => what,
            None => format!("{what}. {}", super::why_without_result(run)),
        };
        Self {
            number: run.number,
            began_at: run.began_at.format("%H:%M:%S").to_string(),
            summary,
            has_figures: run.raced.is_some(),
        }
    }
}
