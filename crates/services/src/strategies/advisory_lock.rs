//! `advisory_lock`: pg_advisory_xact_lock on the product's id. It is a lock on a number, and keeps out only
//! transactions that ask for the same number. An edit of the price doesn't wait, and neither does a purchase by
//! another strategy.
//!
//! The race window stands where the lock is held, and the bulkhead before BEGIN, as in `pessimistic`. The read comes
//! after the lock, in a statement of its own. At READ COMMITTED each statement sees what was committed before the
//! statement began, so a read in the same statement would see the stock from before the wait.

use flash_sale_core::order;

use super::sale::Sale;
use crate::error::ServiceError;
use crate::failure::Failure;

pub(super) async fn sell(sale: &Sale<'_>) -> Result<order::Model, Failure> {
    sale.stock().take_advisory_lock(sale.product_id).await?;
    let product = sale.products().get_by_id(sale.product_id).await?;
    if product.ok_or(ServiceError::ProductNotFound)?.quantity <= 0 {
        return Err(ServiceError::OutOfStock.into());
    }
    sale.payment.authorize().await;

    let order = sale.insert_order().await?;
    sale.stock().take_copy(sale.product_id).await?;
    Ok(order)
}
