//! `GET /api/openapi.json`.

use actix_web::web::Json;
use utoipa::openapi::OpenApi;

use crate::openapi::document;

/// The description of this API, as OpenAPI 3.1.
pub async fn get() -> Json<OpenApi> {
    Json(document())
}
