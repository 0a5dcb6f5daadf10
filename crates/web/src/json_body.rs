//! A JSON body, read at the door.

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, web};
use flash_sale_core::limits::BODY_TIMEOUT;
use futures::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::problem::Problem;

/// A request body, parsed. Fields that `T` doesn't have are ignored, and a body without Content-Type counts as
/// JSON. Otherwise: 408 when it takes longer than [`BODY_TIMEOUT`], 413 over [`crate::middleware::LONGEST_BODY`], 415 for another type, 422 with the place of
/// the mistake.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for JsonBody<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let body = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            if !is_json {
                let detail = "Expected a JSON body: Content-Type: application/json";
                return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
            }
            let body = timeout(BODY_TIMEOUT, body).await.map_err(|_| Problem::body_too_slow())?;
            let body = body.map_err(|error| body_problem(&error))?;
            parse(&body).map(JsonBody)
        })
    }
}

fn is_json(request: &HttpRequest) -> bool {
    let Some(content_type) = request.headers().get(CONTENT_TYPE) else {
        return true;
    };
    let essence = content_type.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
    let essence = essence.to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn body_problem(error: &actix_web::Error) -> Problem {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => Problem::body_too_large(),
        _ => Problem::new(StatusCode::BAD_REQUEST, "The body did not arrive whole"),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Serde would take an array for the fields in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::unprocessable(&["body"], "expected a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| Problem::unparsable("body", &error))?;
    deserializer.end().map_err(|error| Problem::unprocessable(&["body"], &error.to_string()))?;
    Ok(value)
}
