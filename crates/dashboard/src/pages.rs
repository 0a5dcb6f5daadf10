//! The pages, one file each.

pub mod benchmark;
pub mod beside;
pub mod click;
pub mod explore;
pub mod race;
pub mod scheduler;
pub mod screen;
pub mod slow_motion;
pub mod state;
pub mod timeline;
pub mod verdict;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use askama::Template;
use chrono::Utc;

use crate::problem::Problem;
use crate::run::Run;

/// The answer with this page.
fn answer(page: &impl Template) -> Result<HttpResponse, Problem> {
    let html = page.render().map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok().content_type(ContentType::html()).body(html))
}

/// Whether a form's button says stop.
fn asks_to_stop(form: &[u8]) -> bool {
    form_urlencoded::parse(form).any(|(name, value)| name == "do" && value == "stop")
}

/// The run with this number, or the last one when no number is given.
fn chosen(runs: &[Run], number: Option<u64>) -> Result<Option<&Run>, Problem> {
    match number {
        None => Ok(runs.first()),
        Some(number) => {
            let found = runs.iter().find(|run| run.number == number);
            Ok(Some(found.ok_or_else(|| no_such_run(number))?))
        }
    }
}

/// 404 for a run that is not there.
fn no_such_run(number: u64) -> Problem {
    let detail =
        format!("There is no run {number} here. Only the last ten are kept, until the shop is stopped");
    Problem::new(StatusCode::NOT_FOUND, detail)
}

/// How long a run has taken so far, in seconds.
fn seconds(run: &Run) -> String {
    let took = run.ended_at.unwrap_or_else(Utc::now) - run.began_at;
    format!("{:.0}", took.as_seconds_f64())
}

/// Why a run has no result.
fn why_without_result(run: &Run) -> String {
    match (run.ended_at, run.is_stopped) {
        (None, _) => "It runs.".to_owned(),
        (Some(_), true) => "Stopped.".to_owned(),
        (Some(_), false) => run.failure(),
    }
}
