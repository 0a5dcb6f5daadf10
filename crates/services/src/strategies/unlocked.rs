//! `unlocked`: reads the stock, checks it, then sells. This is the exercise as the shop ships it, kept for reference:
//! however the exercise is edited, this strategy oversells.
//!
//! The race window (the time that the payment takes) stands between check and sale.

use flash_sale_core::order;

use super::sale::Sale;
use crate::error::ServiceError;
use crate::failure::Failure;

pub(super) async fn sell(sale: &Sale<'_>) -> Result<order::Model, Failure> {
    let product = sale.products().get_by_id(sale.product_id).await?;
    if product.ok_or(ServiceError::ProductNotFound)?.quantity <= 0 {
        return Err(ServiceError::OutOfStock.into());
    }
    sale.payment.authorize().await;

    let order = sale.insert_order().await?;
    sale.stock().take_copy(sale.product_id).await?;
    Ok(order)
}
