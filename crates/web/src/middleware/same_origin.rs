//! Another site's page must not buy or reset in a visitor's name.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use flash_sale_http_guard::origin::is_foreign;

use crate::problem::Problem;

/// Answers 403 to a request that changes something and comes from another origin.
pub async fn refuse_foreign_origin<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if !request.method().is_safe() && is_foreign(request.headers()) {
        let problem = Problem::new(StatusCode::FORBIDDEN, "This request comes from another site");
        return Ok(request.into_response(problem.into_response()));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
