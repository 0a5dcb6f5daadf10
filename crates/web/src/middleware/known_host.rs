//! The shop answers only to its own names.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use flash_sale_core::allowed_hosts::AllowedHosts;
use flash_sale_http_guard::host::{HostRefusal, check};

use crate::problem::Problem;

/// Answers 421 to a request for another host, and 400 to a request that doesn't name its host clearly. Only the files
/// under /static are for all hosts: a person sees the refusal as a page, which needs its style sheet and pictures.
pub async fn refuse_unknown_host<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let allowed = request.app_data::<AllowedHosts>().expect("server.rs puts it there");
    let problem = match check(request.request(), allowed) {
        Ok(()) => None,
        Err(HostRefusal::Foreign(_)) if request.path().starts_with("/static/") => None,
        Err(HostRefusal::Foreign(name)) => Some(foreign(&name)),
        Err(HostRefusal::Unclear(detail)) => Some(Problem::new(StatusCode::BAD_REQUEST, detail)),
    };
    match problem {
        Some(problem) => Ok(request.into_response(problem.into_response())),
        None => Ok(next.call(request).await?.map_into_boxed_body()),
    }
}

/// The name is made of letters, digits, dots and dashes, so it may stand in the answer.
fn foreign(name: &str) -> Problem {
    let detail = format!("This shop does not answer to the name {name}. To let it: ALLOWED_HOSTS={name}");
    Problem::new(StatusCode::MISDIRECTED_REQUEST, &detail)
}
