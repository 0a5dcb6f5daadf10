//! A replica works on a limited number of requests at once, so its memory has a limit too. Each further request is
//! refused at once, rather than after a wait in vain.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use flash_sale_core::limits::MOST_REQUESTS;
use tokio::sync::Semaphore;

use crate::problem::Problem;

/// One process is one replica.
static PLACES: Semaphore = Semaphore::const_new(MOST_REQUESTS);

/// Answers 503 when too many requests are being worked on. Only `GET /health` is always let in: the process lives,
/// however much it has to do.
pub async fn refuse_overload<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let place = PLACES.try_acquire();
    if place.is_err() && request.path() != "/health" {
        let problem = Problem::unavailable("Too many requests are being worked on. Try again");
        return Ok(request.into_response(problem.into_response()));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
