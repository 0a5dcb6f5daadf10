//! `GET /docs`: Swagger UI, out of the program itself, to read and try the API.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Path;
use utoipa_swagger_ui::Config;

use crate::problem::Problem;

/// Swagger UI sets styles inline and draws its icons from data URLs. No script is inline here either.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Swagger UI names its files relative to a folder, so its address must end with a slash.
pub async fn redirect() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}

/// One of its files.
pub async fn show(file: Path<String>) -> Result<HttpResponse, Problem> {
    let config = Arc::new(Config::from("/api/openapi.json"));
    match utoipa_swagger_ui::serve(&file, config) {
        Ok(Some(file)) => Ok(HttpResponse::Ok()
            .content_type(file.content_type)
            .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
            .body(file.bytes.into_owned())),
        Ok(None) => Err(Problem::not_found("Not Found")),
        Err(error) => {
            log::error!("Swagger UI: {error}");
            Err(Problem::not_found("Not Found"))
        }
    }
}
