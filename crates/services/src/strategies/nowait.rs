//! `nowait`: SELECT … FOR UPDATE NOWAIT. As `pessimistic`, but a buyer who would have to wait is refused at once, and
//! takes up neither a connection nor a place in a queue. The buyer's program decides when to ask again.
//!
//! The race window stands where the row is locked. All other buyers are refused for so long.

use flash_sale_core::database_error::{DatabaseErrorKind, kind};
use flash_sale_core::order;

use super::sale::Sale;
use crate::error::ServiceError;
use crate::failure::Failure;

pub(super) async fn sell(sale: &Sale<'_>) -> Result<order::Model, Failure> {
    let product = match sale.stock().get_for_update_nowait(sale.product_id).await {
        Err(error) if kind(&error) == DatabaseErrorKind::LockNotAvailable => {
            return Err(ServiceError::Busy.into());
        }
        read => read?,
    };
    if product.ok_or(ServiceError::ProductNotFound)?.quantity <= 0 {
        return Err(ServiceError::OutOfStock.into());
    }
    sale.payment.authorize().await;

    let order = sale.insert_order().await?;
    sale.stock().take_copy(sale.product_id).await?;
    Ok(order)
}
