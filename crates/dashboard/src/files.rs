//! A click as a file: SVG, text, JSON, and what Perfetto opens.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_SECURITY_POLICY;
use actix_web::web::{Data, Json, Path};
use serde_json::Value;

use crate::bench_charts;
use crate::chrome_trace;
use crate::clicks::{Click, Which};
use crate::crowd::Crowd;
use crate::find;
use crate::picture::{self, Links};
use crate::problem::Problem;
use crate::source::Source;
use crate::text;
use crate::view::TransactionView;

/// An exported picture brings its own style, so that it can be put anywhere. It has no script.
const POLICY_OF_A_PICTURE: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// `GET /clicks/{number}/timeline.svg`
pub async fn svg(source: Data<Source>, number: Path<u64>) -> Result<HttpResponse, Problem> {
    let click = find::click(&source, *number)?;
    let picture =
        picture::draw(&Crowd::of(&click), Links::None).map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok()
        .content_type("image/svg+xml")
        .insert_header((CONTENT_SECURITY_POLICY, POLICY_OF_A_PICTURE))
        .body(picture))
}

/// `GET /timeline.txt`: the newest click, for a terminal.
pub async fn newest_text(source: Data<Source>) -> Result<HttpResponse, Problem> {
    let newest = find::newest(&source, Which::Purchases).into_iter().next();
    let newest =
        newest.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "No purchase has been seen yet"))?;
    Ok(in_text(&newest))
}

/// `GET /clicks/{number}/timeline.txt`
pub async fn text(source: Data<Source>, number: Path<u64>) -> Result<HttpResponse, Problem> {
    let click = find::click(&source, *number)?;
    Ok(in_text(&click))
}

/// `GET /picture.css`: the style of the pictures and of the benchmark's charts on the pages.
pub async fn picture_style() -> HttpResponse {
    let styles = [picture::STYLE, bench_charts::STYLE].concat();
    HttpResponse::Ok().content_type("text/css; charset=utf-8").body(styles)
}

/// `GET /clicks/{number}/transactions.json`
pub async fn json(source: Data<Source>, number: Path<u64>) -> Result<Json<Vec<TransactionView>>, Problem> {
    let click = find::click(&source, *number)?;
    Ok(Json(click.transactions.into_iter().map(TransactionView::from).collect()))
}

/// `GET /clicks/{number}/trace.json`
pub async fn trace(source: Data<Source>, number: Path<u64>) -> Result<Json<Value>, Problem> {
    let click = find::click(&source, *number)?;
    Ok(Json(chrome_trace::trace(&Crowd::of(&click))))
}

fn in_text(click: &Click) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(text::write(&Crowd::of(click)))
}
