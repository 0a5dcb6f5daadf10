//! The OpenAPI document, put together from the handlers' own descriptions.

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(title = "Flash Sale", description = "A shop that sells the last copy of a book."),
    paths(
        crate::api::products::get_featured,
        crate::api::products::get_by_id,
        crate::api::orders::list,
        crate::api::orders::create,
        crate::api::strategies::list,
        crate::api::reset::create,
        crate::api::health::get_health,
        crate::api::health::get_ready,
    )
)]
struct ShopApi;

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    ShopApi::openapi()
}
