//! The one place where errors become answers: `application/problem+json` (RFC 9457).

use std::fmt;

use actix_web::error::PathError;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use flash_sale_core::database_error::{Obstacle, is_temporary, obstacle, sqlstate};
use flash_sale_core::database_reason::reason;
use flash_sale_services::ServiceError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::logger::ClientText;
use crate::outage_log;

/// Why a request was not carried out, as the client is told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The status in words.
    #[schema(example = "Bad Request")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 400)]
    pub status: u16,
    /// What happened, in a sentence for a person.
    #[schema(example = "Out of stock")]
    pub detail: String,
    /// Only with 422: each part of the request that could not be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Only with 503, and only when the outcome of the request is unknown: "unknown".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    #[serde(skip)]
    retry_after_seconds: Option<u32>,
    #[serde(skip)]
    allow: Option<String>,
    #[serde(skip)]
    closes_connection: bool,
}

/// A part of the request that could not be used.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// Where it is: `["body", "product_id"]`.
    pub loc: Vec<String>,
    /// What is wrong with it.
    pub msg: String,
}

impl Problem {
    /// A problem of this status.
    pub fn new(status: StatusCode, detail: &str) -> Self {
        Self {
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.to_owned(),
            errors: Vec::new(),
            outcome: None,
            retry_after_seconds: None,
            allow: None,
            closes_connection: false,
        }
    }

    /// 404.
    pub fn not_found(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 413.
    pub fn body_too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is longer than 64 KiB")
    }

    /// 408.
    pub fn body_too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time")
    }

    /// 500: the shop's own mistake, which the log explains.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The shop has failed. The log says why")
    }

    /// 405 with the methods that are allowed.
    pub fn method_not_allowed(allow: &str) -> Self {
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, &format!("Allowed here: {allow}"));
        Self { allow: Some(allow.to_owned()), ..problem }
    }

    /// 503 with a `Retry-After` of one second.
    pub fn unavailable(detail: &str) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        Self { retry_after_seconds: Some(1), ..problem }
    }

    /// 503 without `Retry-After`: a client that repeats such a request without a key might buy twice.
    pub fn outcome_unknown() -> Self {
        let detail = "The answer was lost, so the outcome is unknown. If the request had an Idempotency-Key, send it \
                      again with the same key";
        Self { outcome: Some("unknown"), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// 409 with a `Retry-After` of one second.
    pub fn conflict(detail: &str) -> Self {
        Self { retry_after_seconds: Some(1), ..Self::new(StatusCode::CONFLICT, detail) }
    }

    /// The same problem, as the last answer on its connection.
    pub fn closing_connection(self) -> Self {
        Self { closes_connection: true, ..self }
    }

    /// 422 for one part of the request.
    pub fn unprocessable(loc: &[&str], msg: &str) -> Self {
        let loc = loc.iter().map(|part| (*part).to_owned()).collect();
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "The request could not be understood");
        Self { errors: vec![FieldError { loc, msg: msg.to_owned() }], ..problem }
    }

    /// 422 for a part of the path that can't be read. The only such part is an id.
    pub fn in_path(error: &PathError) -> Self {
        log::debug!("path: {}", ClientText(error));
        Self::unprocessable(&["path", "id"], "expected a UUID")
    }

    /// 422 for a part of the request that serde refused; names the field where serde knows it.
    pub fn unparsable<E: fmt::Display>(part: &str, error: &serde_path_to_error::Error<E>) -> Self {
        let field = error.path().to_string();
        let loc = if field == "." { vec![part] } else { vec![part, &field] };
        Self::unprocessable(&loc, &error.inner().to_string())
    }

    /// The body of an answer to a program.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and strings always become JSON")
    }

    /// The answer that carries this problem. Its body is written by `middleware::explain_errors`, which alone
    /// knows whether a person or a program asked.
    pub fn into_response(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.retry_after_seconds {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if let Some(allow) = &self.allow {
            response.insert_header((ALLOW, allow.as_str()));
        }
        if self.closes_connection {
            response.force_close();
        }
        let mut response = response.finish();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::OutOfStock => Self::new(StatusCode::BAD_REQUEST, "Out of stock"),
            ServiceError::ProductNotFound => Self::not_found("Product not found"),
            ServiceError::OrderNotFound => Self::not_found("Order not found"),
            ServiceError::Busy => Self::conflict("Other buyers were faster. Try again"),
            ServiceError::AllHeld => {
                Self::conflict("Other buyers are paying for the last copies. Try again: a copy may come back")
            }
            ServiceError::HoldLapsed => Self::conflict(
                "The hold on your copy has lapsed before your payment was confirmed. Nothing was sold or charged. Try \
                 again",
            ),
            ServiceError::PaymentDeclined => {
                Self::new(StatusCode::PAYMENT_REQUIRED, "The payment was declined. Nothing was sold")
            }
            ServiceError::KeyInFlight => {
                Self::conflict("A request with this Idempotency-Key is being worked on. Try again")
            }
            ServiceError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "This Idempotency-Key was used for another request",
            ),
            ServiceError::Overloaded => Self::unavailable("Too many buyers wait. Try again"),
            ServiceError::Interrupted => Self::unavailable("The sale was interrupted. Try again"),
            ServiceError::StrategyNeeds(_) => Self {
                detail: "This product can't be sold by this strategy".to_owned(),
                ..Self::unprocessable(&["body", "strategy"], &error.to_string())
            },
            ServiceError::Database(error) if is_temporary(&error) => {
                outage_log::report(&error);
                Self::unavailable(match obstacle(&error) {
                    Some(Obstacle::Conflict) => "Another request was in the way. Try again",
                    _ => "The database is away or too busy. Try again",
                })
            }
            ServiceError::Database(error) => {
                match sqlstate(&error) {
                    Some(code) => {
                        log::error!("the database refused a statement: {} (SQLSTATE {code})", reason(&error))
                    }
                    None => log::error!("what the database answered can't be used: {}", reason(&error)),
                }
                Self::internal()
            }
            ServiceError::OutcomeUnknown(error) => {
                if let Some(error) = &error {
                    outage_log::report(error);
                }
                Self::outcome_unknown()
            }
        }
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

    fn error_response(&self) -> HttpResponse {
        self.clone().into_response()
    }
}
