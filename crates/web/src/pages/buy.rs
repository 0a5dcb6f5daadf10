//! `POST /buy`: the Buy Now button.

use actix_web::HttpResponse;
use actix_web::web::{Data, ReqData};
use flash_sale_services::ShopService;

use crate::checkout::CheckoutClient;
use crate::notice::Notice;
use crate::problem::Problem;
use crate::request_id::RequestId;

/// Lets the checkout client buy a copy, then shows the page with the answers that the client got.
#[utoipa::path(post, path = "/buy", tag = "pages", operation_id = "submit_buy_form", responses(
    (status = 303, description = "To the page, with what each request of the checkout client was told as a cookie", headers(
        ("Location" = String, description = "The page"),
        ("Set-Cookie" = String, description = "`notice`, which the page shows once"),
    )),
    (status = 404, description = "The shop is empty"),
))]
pub async fn submit(
    shop: Data<ShopService>,
    checkout: Data<CheckoutClient>,
    request_id: ReqData<RequestId>,
) -> Result<HttpResponse, Problem> {
    let product = shop.get_featured_product().await?;
    let attempts = checkout.buy(product.id, &request_id.0).await;
    Ok(Notice::Bought(attempts).redirect())
}
