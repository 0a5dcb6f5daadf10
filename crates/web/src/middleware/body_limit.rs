//! No body is longer than 64 KiB. A body without Content-Length is measured while it is read (`JsonBody`).

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::middleware::Next;

use crate::problem::Problem;

/// In bytes.
pub const LONGEST_BODY: usize = 64 * 1024;

/// Answers 413 to a request that announces a longer body, before any of it is read.
pub async fn refuse_oversized_body<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > LONGEST_BODY as u64) {
        return Ok(request.into_response(Problem::body_too_large().into_response()));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
