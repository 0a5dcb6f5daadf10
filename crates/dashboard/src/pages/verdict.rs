//! `/verdict`: `make check`, started from here. GET shows the last check, POST starts or stops one.

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::{Bytes, Data, Path};
use askama::Template;

use super::answer;
use crate::engine_messages::SeenCheck;
use crate::problem::Problem;
use crate::rooms::Order;
use crate::run::{Run, RunKind};
use crate::runs::Runs;
use crate::settings::DashboardSettings;

/// `lab/verdict.html`
#[derive(Template)]
#[template(path = "lab/verdict.html")]
struct VerdictPage<'a> {
    shop_url: &'a str,
    news: u64,
    /// What runs. Nothing else can be started then.
    under_way: Option<Run>,
    run: Option<ShownCheck>,
    older: Vec<OlderCheck>,
}

/// A check that is shown.
struct ShownCheck {
    run: Run,
    checks: Vec<CheckRow>,
    began_at: String,
    seconds: String,
}

/// One thing that was looked at.
struct CheckRow {
    check: SeenCheck,
    click: Option<u64>,
}

/// A check that was made before.
struct OlderCheck {
    number: u64,
    began_at: String,
    closing: String,
}

/// The page of the last check.
pub async fn show(runs: Data<Runs>, settings: Data<DashboardSettings>) -> Result<HttpResponse, Problem> {
    page(&runs, &settings, None)
}

/// The page of this check.
pub async fn show_one(
    runs: Data<Runs>,
    settings: Data<DashboardSettings>,
    number: Path<u64>,
) -> Result<HttpResponse, Problem> {
    page(&runs, &settings, Some(*number))
}

/// Starts a check. With `do=stop`, stops what runs.
pub async fn start_or_stop(runs: Data<Runs>, form: Bytes) -> Result<HttpResponse, Problem> {
    if super::asks_to_stop(&form) {
        runs.stop();
    } else {
        runs.start(Order::Check).await?;
    }
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, "/verdict")).finish())
}

fn page(runs: &Runs, settings: &DashboardSettings, number: Option<u64>) -> Result<HttpResponse, Problem> {
    let news = *runs.news().borrow();
    let checks = runs.all(RunKind::Check);
    let run = super::chosen(&checks, number)?;
    let older = checks.iter().filter(|other| run.is_none_or(|run| run.number != other.number));
    answer(&VerdictPage {
        shop_url: &settings.shop_url,
        news,
        under_way: runs.under_way(),
        run: run.cloned().map(ShownCheck::of),
        older: older.map(OlderCheck::of).collect(),
    })
}

impl ShownCheck {
    fn of(run: Run) -> Self {
        let row = |check: &SeenCheck| CheckRow {
            check: check.clone(),
            click: run.clicks.get(&check.name).copied().filter(|_| !check.passed),
        };
        Self {
            checks: run.checks.iter().map(row).collect(),
            began_at: run.began_at.format("%H:%M:%S").to_string(),
            seconds: super::seconds(&run),
            run,
        }
    }
}

impl OlderCheck {
    fn of(run: &Run) -> Self {
        let closing = match &run.judged {
            Some(judged) => judged.closing.clone(),
            None => super::why_without_result(run),
        };
        Self { number: run.number, began_at: run.began_at.format("%H:%M:%S").to_string(), closing }
    }
}
