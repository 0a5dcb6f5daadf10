//! What holds for every request: it is for this host, it is not from another site's page, and its error has a body.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, ResponseError};
use askama::Template;
use flash_sale_core::allowed_hosts::AllowedHosts;
use flash_sale_http_guard::host::{HostRefusal, check};
use flash_sale_http_guard::origin;

use crate::problem::Problem;
use crate::settings::DashboardSettings;

/// `lab/error.html`
#[derive(Template)]
#[template(path = "lab/error.html")]
struct ErrorPage<'a> {
    status: u16,
    title: &'a str,
    detail: &'a str,
    shop_url: &'a str,
}

/// Answers 421 to a request for another host, 400 to one that names no host clearly, and 403 to one that would change
/// something and comes from another site. The files under /static are for all hosts: the page of a refusal needs them.
pub async fn refuse_foreigners<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let allowed = request.app_data::<AllowedHosts>().expect("server.rs puts it there");
    let problem = match check(request.request(), allowed) {
        Err(HostRefusal::Foreign(name)) if !request.path().starts_with("/static/") => {
            let detail =
                format!("The dashboard does not answer to the name {name}. To let it: ALLOWED_HOSTS={name}");
            Some(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail))
        }
        Err(HostRefusal::Unclear(detail)) => Some(Problem::new(StatusCode::BAD_REQUEST, detail)),
        _ if !request.method().is_safe() && origin::is_foreign(request.headers()) => {
            Some(Problem::new(StatusCode::FORBIDDEN, "This request comes from another site"))
        }
        _ => None,
    };
    match problem {
        Some(problem) => Ok(request.into_response(problem.error_response())),
        None => Ok(next.call(request).await?.map_into_boxed_body()),
    }
}

/// Writes the body of every error: a problem document, or a page when a person asked.
pub async fn explain_errors<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let wants_page =
        !request.path().starts_with("/api/") && accept.is_some_and(|accept| accept.contains("text/html"));
    let response = next.call(request).await?.map_into_boxed_body();
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return Ok(response);
    }
    let problem = response.response().extensions().get::<Problem>().cloned();
    let problem = problem
        .unwrap_or_else(|| Problem::new(status, status.canonical_reason().unwrap_or("It could not be done")));
    let Problem { title, detail, .. } = &problem;
    let settings = response.request().app_data::<Data<DashboardSettings>>();
    let shop_url = settings.map_or("/", |settings| settings.shop_url.as_str());
    let page = ErrorPage { status: problem.status, title, detail, shop_url }.render();
    let (content_type, body) = match page {
        Ok(html) if wants_page => ("text/html; charset=utf-8", html),
        _ => ("application/problem+json", problem.to_json()),
    };
    let (request, mut response) = response.into_parts();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Files say 405 without it.
    if status == StatusCode::METHOD_NOT_ALLOWED && !response.headers().contains_key(ALLOW) {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    Ok(ServiceResponse::new(request, response.set_body(BoxBody::new(body))))
}
