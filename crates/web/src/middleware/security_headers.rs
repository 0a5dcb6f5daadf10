//! What browsers are told to refuse, and what they may keep.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::middleware::Next;
use flash_sale_http_guard::headers;

/// Adds the headers to every answer that doesn't bring its own.
pub async fn set_security_headers<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    // Pages and answers are true for one moment only. Browsers keep files, and ask whether they have changed (ETag).
    let caching = if request.path().starts_with("/static/") { "no-cache" } else { "no-store" };
    let mut response = next.call(request).await?;
    headers::add(response.headers_mut());
    if !response.headers().contains_key(CACHE_CONTROL) {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    }
    Ok(response)
}
