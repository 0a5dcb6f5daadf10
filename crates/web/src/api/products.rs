//! `GET /api/products` and `GET /api/products/{id}`.

use actix_web::web::{Data, Json, Path};
use flash_sale_services::ShopService;
use uuid::Uuid;

use crate::problem::Problem;
use crate::view::ProductView;

/// The book on sale.
#[utoipa::path(get, path = "/api/products", tag = "products", operation_id = "get_featured_product", responses(
    (status = 200, description = "The book", body = ProductView),
    (status = 404, description = "The shop is empty"),
))]
pub async fn get_featured(shop: Data<ShopService>) -> Result<Json<ProductView>, Problem> {
    Ok(Json(shop.get_featured_product().await?.into()))
}

/// One product.
#[utoipa::path(get, path = "/api/products/{id}", tag = "products", operation_id = "get_product",
    params(("id" = Uuid, Path, description = "Upper-case or without dashes is fine too")), responses(
    (status = 200, description = "The product", body = ProductView),
    (status = 404, description = "No such product"),
    (status = 422, description = "Not a UUID"),
))]
pub async fn get_by_id(shop: Data<ShopService>, id: Path<Uuid>) -> Result<Json<ProductView>, Problem> {
    Ok(Json(shop.get_product(*id).await?.into()))
}
