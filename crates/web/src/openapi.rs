//! `GET /api/openapi.json`: the OpenAPI document, put together from the handlers' own descriptions and from the parts
//! that all operations share (`openapi/shared.rs`).

mod shared;

use actix_web::web::Json;
use utoipa::OpenApi;

use shared::SharedAnswers;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Flash Sale",
        description = "A shop that sells the last copy of a book.\n\n\
            Each path answers 405 to other methods than its own, with all of these in `Allow`, and each other path \
            404. What can't be read as an HTTP request is answered 400, 408, 414 or 431 by the gateway, without \
            the shop's own headers, and the connection is closed."
    ),
    paths(
        crate::api::products::get_featured,
        crate::api::products::get_by_id,
        crate::api::orders::list,
        crate::api::orders::create,
        crate::api::strategies::list,
        crate::api::reset::create,
        get,
        crate::api::health::get_health,
        crate::api::health::get_ready,
        crate::pages::shop::show,
        crate::pages::buy::submit,
        crate::pages::reset::submit,
    ),
    components(schemas(crate::problem::Problem)),
    modifiers(&SharedAnswers)
)]
struct ShopApi;

/// The description of this API, as OpenAPI 3.1.
#[utoipa::path(get, path = "/api/openapi.json", tag = "operation", operation_id = "get_openapi", responses(
    (status = 200, description = "This document", body = Object),
))]
pub async fn get() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    ShopApi::openapi()
}
