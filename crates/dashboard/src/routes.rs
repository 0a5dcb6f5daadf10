//! Every URL of the dashboard: its table of contents.

use std::path::Path;

use actix_files::Files;
use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, Resource, Responder, guard};

use crate::problem::Problem;
use crate::{api, events, files, metrics, openapi, pages};

/// Adds all routes. The files in `static_dir` appear under `/static`.
pub fn configure(config: &mut ServiceConfig, static_dir: &Path) {
    config
        .app_data(
            web::QueryConfig::default()
                .error_handler(|_, _| Problem::unprocessable(&["query"], "expected other values").into()),
        )
        .app_data(
            web::PathConfig::default()
                .error_handler(|_, _| Problem::unprocessable(&["path"], "expected a number").into()),
        )
        // Pages
        .service(get("/", pages::timeline::show))
        .service(get("/screen", pages::screen::show_newest))
        .service(get("/clicks/{number}", pages::click::show))
        .service(get("/clicks/{number}/screen", pages::screen::show))
        .service(get("/clicks/{number}/beside/{other}", pages::beside::show))
        .service(get("/state", pages::state::show))
        .service(get_and_post("/verdict", pages::verdict::show, pages::verdict::start_or_stop))
        .service(get("/verdict/{number}", pages::verdict::show_one))
        .service(get_and_post("/race", pages::race::show, pages::race::start_or_stop))
        .service(get("/race/compare", pages::race::compare::show))
        .service(get("/race/{number}", pages::race::show_one))
        .service(get("/benchmark", pages::benchmark::show))
        .service(get_and_post("/explore", pages::explore::show, pages::explore::start_or_stop))
        .service(get("/explore/{number}", pages::explore::show_one))
        .service(get("/explore/{number}/{letters}", pages::explore::schedule::show))
        .service(get("/explore/{number}/{letters}/swap/{step}", pages::explore::schedule::swap))
        .service(get("/scheduler", pages::scheduler::show))
        .service(get_and_post("/slow-motion", pages::slow_motion::show, pages::slow_motion::start_or_stop))
        .service(get("/slow-motion/screen", pages::slow_motion::show_on_screen))
        // A click as a file
        .service(get("/timeline.txt", files::newest_text))
        .service(get("/clicks/{number}/timeline.svg", files::svg))
        .service(get("/clicks/{number}/timeline.txt", files::text))
        .service(get("/clicks/{number}/transactions.json", files::json))
        .service(get("/clicks/{number}/trace.json", files::trace))
        // For scripts
        .service(get("/events", events::stream))
        .service(get("/events/state", events::ticks))
        .service(get("/events/runs", events::runs))
        .service(get("/api/transactions", api::list))
        .service(get("/api/state", api::state::get))
        .service(get("/metrics", metrics::get))
        .service(get("/api/openapi.json", openapi::get))
        // What the pages need
        .service(get("/picture.css", files::picture_style))
        .service(Files::new("/static", static_dir))
        .default_service(web::to(async || {
            Err::<String, _>(Problem::new(StatusCode::NOT_FOUND, "There is no such page"))
        }));
}

/// A path that also answers POST.
fn get_and_post<F, Args, G, Form>(path: &str, show: F, change: G) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
    G: Handler<Form>,
    Form: FromRequest + 'static,
    G::Output: Responder + 'static,
{
    resource(path, show, "GET, HEAD, POST").route(web::post().to(change))
}

/// A path that answers GET and HEAD, and 405 to other methods.
fn get<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    resource(path, handler, "GET, HEAD")
}

/// A path that answers GET and HEAD with the handler, and 405 with `allowed` to methods that it has no route for.
fn resource<F, Args>(path: &str, handler: F, allowed: &'static str) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let get_or_head = guard::Any(guard::Get()).or(guard::Head());
    let refuse = move || std::future::ready(Err::<String, _>(Problem::method_not_allowed(allowed)));
    web::resource(path).route(web::route().guard(get_or_head).to(handler)).default_service(web::to(refuse))
}
