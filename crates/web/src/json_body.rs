//! A JSON body, read at the door.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde::de::DeserializeOwned;

use crate::middleware::Body;
use crate::problem::Problem;

/// A request body, parsed. Fields that `T` doesn't have are ignored, and a body without Content-Type counts as
/// JSON. Otherwise: 415 for another type, 422 with the place of the mistake. `middleware::read_whole_body` has read
/// it.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest for JsonBody<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        if !is_json(request) {
            let detail = "Expected a JSON body: Content-Type: application/json";
            return ready(Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)));
        }
        let extensions = request.extensions();
        let body = extensions.get::<Body>().map(|Body(bytes)| &bytes[..]);
        ready(parse(body.unwrap_or_default()).map(JsonBody))
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

/// The value of the JSON object in these bytes, or 422.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // All of it must be UTF-8 (RFC 8259, section 8.1). Serde looks only at the fields that it needs.
    let body = str::from_utf8(body).map_err(|error| Problem::unprocessable(&["body"], &error.to_string()))?;
    // Serde would also accept an array, with the fields in their order.
    if !body.trim_ascii_start().starts_with('{') {
        return Err(Problem::unprocessable(&["body"], "expected a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| Problem::unparsable("body", &error))?;
    deserializer.end().map_err(|error| Problem::unprocessable(&["body"], &error.to_string()))?;
    Ok(value)
}
