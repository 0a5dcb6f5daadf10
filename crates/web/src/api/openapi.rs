//! `GET /api/openapi.json`.

use actix_web::web::Json;
use utoipa::openapi::OpenApi;

use crate::openapi::document;

/// The description of this API, as OpenAPI 3.1.
#[utoipa::path(get, path = "/api/openapi.json", tag = "operation", operation_id = "get_openapi", responses(
    (status = 200, description = "This document", body = Object),
))]
pub async fn get() -> Json<OpenApi> {
    Json(document())
}
