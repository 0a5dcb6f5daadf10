//! `POST /api/reset`.

use actix_web::web::{Data, Json};
use flash_sale_services::ShopService;

use crate::problem::Problem;
use crate::view::ResetView;

/// Starts afresh: one copy in stock, no orders, and no answer kept for a key.
#[utoipa::path(post, path = "/api/reset", tag = "reset", operation_id = "reset", responses(
    (status = 200, description = "What was done", body = ResetView),
    (status = 404, description = "The shop is empty"),
))]
pub async fn create(shop: Data<ShopService>) -> Result<Json<ResetView>, Problem> {
    Ok(Json(shop.reset().await?.into()))
}
