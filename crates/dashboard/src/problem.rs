//! The one place where errors become answers: `application/problem+json` (RFC 9457), or a page for a person.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was not carried out, as the client is told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The status in words.
    #[schema(example = "Not Found")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 404)]
    pub status: u16,
    /// What happened, in a sentence for a person.
    pub detail: String,
    /// Only with 422: each part of the request that could not be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Only with 405: the methods that are allowed.
    #[serde(skip)]
    pub allow: Option<&'static str>,
}

/// A part of the request that could not be used.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// Where it is: `["query", "limit"]`.
    pub loc: Vec<String>,
    /// What is wrong with it.
    pub msg: String,
}

impl Problem {
    /// A problem of this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self { title, status: status.as_u16(), detail: detail.into(), errors: Vec::new(), allow: None }
    }

    /// 405 with the methods that are allowed.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("Allowed here: {allow}"));
        Self { allow: Some(allow), ..problem }
    }

    /// 404 for a click that is not there.
    pub fn no_such_click(number: u64) -> Self {
        let detail = format!("There is no click {number}. Only the last transactions are kept");
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 422 for one part of the request.
    pub fn unprocessable(loc: &[&str], msg: &str) -> Self {
        let loc = loc.iter().map(|part| (*part).to_owned()).collect();
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "The request could not be understood");
        Self { errors: vec![FieldError { loc, msg: msg.to_owned() }], ..problem }
    }

    /// 500: the dashboard's own mistake, which the log explains.
    pub fn internal(error: &dyn fmt::Display) -> Self {
        log::error!("the dashboard: {error}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The dashboard has failed. The log says why")
    }

    /// The body of an answer to a program.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and strings always become JSON")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}: {}", self.status, self.title, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The answer. Its body is written by `middleware::explain_errors`, which knows whether a person asked.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if self.status_code() == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((RETRY_AFTER, "1"));
        }
        if let Some(allow) = self.allow {
            response.insert_header((ALLOW, allow));
        }
        let mut response = response.finish();
        response.extensions_mut().insert(self.clone());
        response
    }
}
