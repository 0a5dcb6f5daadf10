//! No request is worked on for longer than its limit. Past the limit, the client is told so and the work is dropped:
//! its transaction is taken back, unless COMMIT was sent already.

use std::time::Duration;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use flash_sale_services::commit::CommitMark;
use tokio::time::timeout;

use crate::logger::ClientText;
use crate::problem::Problem;

/// Answers 503 when there is no answer within `limit`. It is wrapped around single resources: a clone of the request is
/// kept here, and actix-web can't route a request that has a clone.
pub async fn answer_in_time<B: MessageBody + 'static>(
    limit: Duration,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let asked = request.request().clone();
    let mark = CommitMark::default();
    match timeout(limit, mark.follow(next.call(request))).await {
        Ok(answered) => Ok(answered?.map_into_boxed_body()),
        Err(_) => {
            let (method, path) = (ClientText(asked.method()), ClientText(asked.path()));
            log::warn!("{method} {path} was given up after {} s", limit.as_secs());
            let problem = if mark.is_set() {
                Problem::outcome_unknown()
            } else {
                Problem::unavailable("The shop took too long and has given up. Try again")
            };
            Ok(ServiceResponse::new(asked, problem.into_response()))
        }
    }
}
