//! `POST /reset`: the Reset button.

use actix_web::HttpResponse;
use actix_web::web::Data;
use flash_sale_services::ShopService;

use crate::notice::Notice;
use crate::problem::Problem;

/// Starts afresh, then shows the page.
pub async fn submit(shop: Data<ShopService>) -> Result<HttpResponse, Problem> {
    let reset = shop.reset().await?;
    Ok(Notice::WasReset { deleted_orders: reset.deleted_orders, quantity: reset.quantity }.redirect())
}
