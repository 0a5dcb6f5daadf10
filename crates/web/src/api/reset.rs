//! `POST /api/reset`.

use actix_web::web::{Data, Json};
use flash_sale_services::ShopService;

use crate::problem::Problem;
use crate::view::ResetView;

/// Starts afresh: one copy in stock, no orders.
#[utoipa::path(post, path = "/api/reset", tag = "reset", operation_id = "reset", responses(
    (status = 200, body = ResetView),
    (status = 404, description = "The shop is empty", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The database is away or too busy", body = Problem, content_type = "application/problem+json"),
))]
pub async fn create(shop: Data<ShopService>) -> Result<Json<ResetView>, Problem> {
    Ok(Json(shop.reset().await?.into()))
}
