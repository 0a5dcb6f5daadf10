//! `POST /reset`: the Reset button.

use actix_web::HttpResponse;
use actix_web::web::Data;
use flash_sale_services::ShopService;

use crate::notice::Notice;
use crate::problem::Problem;

/// Starts afresh, as `POST /api/reset` does, then shows the page.
#[utoipa::path(post, path = "/reset", tag = "pages", operation_id = "submit_reset_form", responses(
    (status = 303, description = "To the page, with what was done as a cookie", headers(
        ("Location" = String, description = "The page"),
        ("Set-Cookie" = String, description = "`notice`, which the page shows once"),
    )),
    (status = 404, description = "The shop is empty"),
))]
pub async fn submit(shop: Data<ShopService>) -> Result<HttpResponse, Problem> {
    let reset = shop.reset().await?;
    Ok(Notice::WasReset { deleted_orders: reset.deleted_orders, quantity: reset.quantity }.redirect())
}
