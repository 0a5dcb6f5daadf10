//! Another site's page must not buy or reset in a visitor's name. Browsers say where a request comes from;
//! programs don't, and may do as they like.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use actix_web::middleware::Next;

use crate::problem::Problem;

/// Answers 403 to a request that changes something and comes from another origin (Fetch standard, `Origin` and
/// `Sec-Fetch-Site`).
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

fn is_foreign(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("Sec-Fetch-Site");
    if sites.any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none")) {
        return true;
    }
    // A browser sends one. Of several, all must be ours: who knows which of them somebody else believes.
    let mut origins = headers.get_all(ORIGIN);
    origins.any(|origin| !is_of(origin, headers.get(HOST)))
}

fn is_of(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), host.map(HeaderValue::to_str)) else { return false };
    match origin.split_once("://") {
        Some(("http" | "https", authority)) => authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}
