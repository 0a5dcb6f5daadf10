//! `GET /api/transactions`: what the wire saw, for scripts. [`state`] is the shop at this moment.

pub mod state;

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::problem::Problem;
use crate::source::Source;
use crate::view::TransactionView;

/// How many transactions a client gets when it doesn't say.
const USUAL_LIMIT: usize = 100;
/// How many it gets at most.
const LARGEST_LIMIT: usize = 1000;

/// Which transactions to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TransactionPage {
    /// How many at most. Without it, 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// The last transactions of all replicas, newest first.
#[utoipa::path(get, path = "/api/transactions", tag = "transactions", operation_id = "list_transactions",
    params(TransactionPage), responses(
    (status = 200, description = "At most 1000 of them", body = [TransactionView]),
    (status = 400, description = "The request doesn't say clearly for which host it is", body = Problem,
        content_type = "application/problem+json"),
    (status = 405, description = "Another method than GET or HEAD", body = Problem,
        content_type = "application/problem+json"),
    (status = 421, description = "The dashboard is not the host that was asked for", body = Problem,
        content_type = "application/problem+json"),
    (status = 422, description = "A limit out of range", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(request: HttpRequest, source: Data<Source>) -> Result<Json<Vec<TransactionView>>, Problem> {
    let limit = parse(request.query_string())?;
    Ok(Json(source.newest(limit).into_iter().map(TransactionView::from).collect()))
}

fn parse(query: &str) -> Result<usize, Problem> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let page: Result<TransactionPage, _> =
        TransactionPage::deserialize(serde_urlencoded::Deserializer::new(pairs));
    let limit = page.ok().map(|page| page.limit.unwrap_or(USUAL_LIMIT));
    let limit = limit.filter(|limit| (1..=LARGEST_LIMIT).contains(limit));
    limit.ok_or_else(|| Problem::unprocessable(&["query", "limit"], "expected a whole number from 1 to 1000"))
}
