//! `POST /buy`: the Buy Now button.

use actix_web::HttpResponse;
use actix_web::web::{Data, ReqData};
use flash_sale_services::ShopService;

use crate::checkout::CheckoutClient;
use crate::middleware::RequestId;
use crate::notice::Notice;
use crate::problem::Problem;

/// Has the checkout client buy a copy, then shows the page with what it was told.
pub async fn submit(
    shop: Data<ShopService>,
    checkout: Data<CheckoutClient>,
    request_id: ReqData<RequestId>,
) -> Result<HttpResponse, Problem> {
    let product = shop.get_featured_product().await?;
    let attempts = checkout.buy(product.id, &request_id.0).await;
    Ok(Notice::Bought(attempts).redirect())
}
