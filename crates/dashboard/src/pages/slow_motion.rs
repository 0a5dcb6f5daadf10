//! `/slow-motion`: one click that takes seconds, drawn while it happens. GET shows the last one, POST starts or stops
//! one. `GET /slow-motion/screen` is the same for a projector.

mod slow_click;

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::{Bytes, Data};
use askama::Template;

use super::answer;
use crate::problem::Problem;
use crate::rooms::Order;
use crate::run::{Run, RunKind};
use crate::runs::Runs;
use crate::settings::DashboardSettings;
use crate::source::Source;
use slow_click::SlowClick;

/// `lab/slow_motion.html`
#[derive(Template)]
#[template(path = "lab/slow_motion.html")]
struct SlowMotionPage<'a> {
    shop_url: &'a str,
    slow: SlowMotion,
}

/// `lab/slow_motion_screen.html`
#[derive(Template)]
#[template(path = "lab/slow_motion_screen.html")]
struct SlowMotionScreen {
    slow: SlowMotion,
}

/// What both pages show.
struct SlowMotion {
    news: u64,
    /// Why nobody can click in slow motion here.
    obstacle: Option<String>,
    /// What runs. Nothing else can be started then.
    under_way: Option<Run>,
    /// The last slow motion.
    run: Option<Run>,
    /// Its click, as soon as its first statement was sent.
    click: Option<SlowClick>,
}

/// The page.
pub async fn show(
    runs: Data<Runs>,
    source: Data<Source>,
    settings: Data<DashboardSettings>,
) -> Result<HttpResponse, Problem> {
    answer(&SlowMotionPage { shop_url: &settings.shop_url, slow: SlowMotion::now(&runs, &source)? })
}

/// The page for a projector.
pub async fn show_on_screen(runs: Data<Runs>, source: Data<Source>) -> Result<HttpResponse, Problem> {
    answer(&SlowMotionScreen { slow: SlowMotion::now(&runs, &source)? })
}

/// Starts a click. With `do=stop`, stops what runs. With `on=screen`, leads back to the page for a projector.
pub async fn start_or_stop(runs: Data<Runs>, form: Bytes) -> Result<HttpResponse, Problem> {
    if super::asks_to_stop(&form) {
        runs.stop();
    } else {
        runs.start(Order::SlowMotion).await?;
    }
    let is_on_screen = form_urlencoded::parse(&form).any(|(name, value)| name == "on" && value == "screen");
    let page = if is_on_screen { "/slow-motion/screen" } else { "/slow-motion" };
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, page)).finish())
}

impl SlowMotion {
    fn now(runs: &Runs, source: &Source) -> Result<Self, Problem> {
        // Read first: what comes after it makes the page ask again.
        let news = *runs.news().borrow();
        let run = runs.all(RunKind::SlowMotion).into_iter().next();
        let click = run.as_ref().and_then(|run| SlowClick::find(run, source));
        Ok(Self {
            news,
            obstacle: runs.engine().slow_motion_obstacle(),
            under_way: runs.under_way(),
            click: click.transpose().map_err(|error| Problem::internal(&error))?,
            run,
        })
    }

    /// Whether the page changes so fast that it asks again by itself.
    fn is_growing(&self) -> bool {
        self.under_way.as_ref().is_some_and(|run| run.kind() == RunKind::SlowMotion)
    }

    /// What happens, or why there is no click to be seen.
    fn status(&self) -> Option<String> {
        let run = self.run.as_ref()?;
        match (run.ended_at, run.clicked_at) {
            (None, _) if run.is_stopped => Some("It is being stopped.".to_owned()),
            (None, None) if run.progress.doing.is_empty() => Some("It begins.".to_owned()),
            (None, _) => Some(run.progress.doing.clone()),
            (Some(_), _) if run.is_stopped => Some("Stopped before the end.".to_owned()),
            (Some(_), clicked_at) if clicked_at.is_none() || run.has_failed() => {
                Some(format!("It has failed: {}", run.failure()))
            }
            (Some(_), _) if self.click.is_none() => Some("Its click is not kept any more.".to_owned()),
            (Some(_), _) => None,
        }
    }
}
