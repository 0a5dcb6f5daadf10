//! `GET /api/openapi.json`: the OpenAPI document, put together from the handlers' own descriptions.

use actix_web::web::Json;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Flash Sale: the dashboard",
        description = "What the shop's transactions did, for scripts."
    ),
    paths(crate::api::list, crate::api::state::get, get),
    components(schemas(crate::problem::Problem))
)]
struct DashboardApi;

/// The description of this API, as OpenAPI 3.1.
#[utoipa::path(get, path = "/api/openapi.json", tag = "operation", operation_id = "get_openapi", responses(
    (status = 200, description = "This document", body = Object),
))]
pub async fn get() -> Json<utoipa::openapi::OpenApi> {
    Json(DashboardApi::openapi())
}
