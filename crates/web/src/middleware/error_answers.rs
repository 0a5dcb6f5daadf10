//! The body of every error: a problem document, or a page when a person asked. The errors of actix-web itself get one
//! too: they come without a body, or with plain text.

use actix_web::Error;
use actix_web::HttpMessage;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::middleware::Next;
use askama::Template;

use super::whole_body::UnreadBody;
use crate::idempotency_key::IDEMPOTENCY_KEY;
use crate::pages::error::ErrorPage;
use crate::problem::Problem;
use crate::replica_name::ReplicaName;
use crate::request_id::RequestId;

/// The type of an error that a program is told of.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Marks an answer whose body is kept for a key. The body must stay as it is.
pub struct KeptAnswer;

/// Writes the body.
pub async fn explain_errors<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let wants_page = wants_page(&request);
    let has_key = request.headers().contains_key(IDEMPOTENCY_KEY);
    let response = next.call(request).await?.map_into_boxed_body();
    if !response.status().is_client_error() && !response.status().is_server_error() {
        return Ok(response);
    }
    if response.response().extensions().contains::<KeptAnswer>() {
        return Ok(response);
    }

    let problem = response.response().extensions().get::<Problem>().cloned();
    let problem = problem.unwrap_or_else(|| foreign_problem(response.status()));
    let page = if wants_page { render_page(&response, &problem) } else { None };
    let (content_type, body) = match page {
        Some(html) => ("text/html; charset=utf-8", html),
        None => (PROBLEM_JSON, problem.to_json()),
    };

    let (request, mut response) = response.into_parts();
    let unread = response.extensions_mut().remove::<UnreadBody>();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if problem.outcome.is_some() && has_key {
        // The client may repeat the request with its key, and is then told the outcome.
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if response.status() == StatusCode::METHOD_NOT_ALLOWED && !response.headers().contains_key(ALLOW) {
        // Only actix-files leaves it out, and it answers just these two.
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    let body = match unread {
        Some(unread) => unread.keep_while_sending(body),
        None => BoxBody::new(body),
    };
    Ok(ServiceResponse::new(request, response.set_body(body)))
}

/// A browser that opens a page, rather than a program that calls the API.
fn wants_page(request: &ServiceRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    !request.path().starts_with("/api/") && accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The problem behind an error of actix-web itself.
fn foreign_problem(status: StatusCode) -> Problem {
    Problem::new(status, status.canonical_reason().unwrap_or("The request could not be carried out"))
}

fn render_page(response: &ServiceResponse, problem: &Problem) -> Option<String> {
    let extensions = response.request().extensions();
    let request_id = extensions.get::<RequestId>()?;
    let replica = extensions.get::<ReplicaName>()?;
    match ErrorPage::new(problem, &request_id.0, &replica.0).render() {
        Ok(html) => Some(html),
        Err(error) => {
            log::error!("error.html: {error}");
            None
        }
    }
}
