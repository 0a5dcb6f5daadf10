//! `GET /race/compare?run=1&run=2`: races side by side.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::form::in_words;
use super::raced::{COLUMNS, RacedRow};
use crate::charts::{Chart, DrawnRace, MOST_RACES, draw};
use crate::pages::{answer, no_such_run};
use crate::problem::Problem;
use crate::run::{Run, RunKind};
use crate::runs::Runs;
use crate::settings::DashboardSettings;

/// `lab/race_compare.html`
#[derive(Template)]
#[template(path = "lab/race_compare.html")]
struct ComparePage<'a> {
    shop_url: &'a str,
    races: Vec<ComparedRace>,
    charts: Vec<Chart>,
    columns: [&'static str; 10],
}

/// One of the races.
struct ComparedRace {
    number: u64,
    what: String,
    rows: Vec<RacedRow>,
}

/// The page.
pub async fn show(
    request: HttpRequest,
    runs: Data<Runs>,
    settings: Data<DashboardSettings>,
) -> Result<HttpResponse, Problem> {
    let chosen = parse(request.query_string())?;
    let all = runs.all(RunKind::Race);
    let find = |number: &u64| {
        let found = all.iter().find(|run| run.number == *number && run.raced.is_some());
        found.ok_or_else(|| no_such_run(*number))
    };
    let races: Vec<&Run> = chosen.iter().map(find).collect::<Result<_, _>>()?;
    let drawn: Vec<DrawnRace> = races.iter().map(|run| drawn(run)).collect();
    let charts = draw(&drawn).map_err(|error| Problem::internal(&error))?;
    answer(&ComparePage {
        shop_url: &settings.shop_url,
        races: races.into_iter().map(ComparedRace::of).collect(),
        charts,
        columns: COLUMNS,
    })
}

/// The numbers of the races, each once, the oldest first.
fn parse(query: &str) -> Result<Vec<u64>, Problem> {
    let numbers = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "run");
    let numbers: Result<Vec<u64>, _> = numbers.map(|(_, value)| value.parse()).collect();
    let mut numbers = numbers.unwrap_or_default();
    numbers.sort_unstable();
    numbers.dedup();
    if (2..=MOST_RACES).contains(&numbers.len()) {
        return Ok(numbers);
    }
    let expected = format!("Choose two races, and {MOST_RACES} at most");
    let problem = Problem::unprocessable(&["query", "run"], &expected);
    Err(Problem { detail: expected, ..problem })
}

fn drawn(run: &Run) -> DrawnRace<'_> {
    let strategies = run.raced.as_ref().map_or(&[][..], |raced| &raced.strategies);
    DrawnRace { name: Some(format!("race {}", run.number)), strategies }
}

impl ComparedRace {
    fn of(run: &Run) -> Self {
        let rows = run.raced.iter().flat_map(|raced| &raced.strategies).map(RacedRow::of).collect();
        Self { number: run.number, what: in_words(&run.order), rows }
    }
}
