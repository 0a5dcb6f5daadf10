//! `pessimistic`: SELECT … FOR UPDATE. The read that decides locks the row; the next buyer's read waits for
//! COMMIT, and then returns the stock as it is by then.
//!
//! The others wait at the bulkhead ([`super::bulkhead`]), before BEGIN: only the next one waits in PostgreSQL.
//!
//! The race window stands where the row is locked. No other buyer can buy meanwhile, so a payment of 100 ms makes ten
//! sales a second. Lock before inserting: the order's foreign key share-locks the product, and two buyers who both hold
//! that lock and want the stronger one deadlock (40P01).

use flash_sale_core::order;

use super::sale::Sale;
use crate::error::ServiceError;
use crate::failure::Failure;

pub(super) async fn sell(sale: &Sale<'_>) -> Result<order::Model, Failure> {
    let product = sale.products().get_by_id_for_update(sale.product_id).await?;
    if product.ok_or(ServiceError::ProductNotFound)?.quantity <= 0 {
        return Err(ServiceError::OutOfStock.into());
    }
    sale.payment.authorize().await;

    let order = sale.insert_order().await?;
    sale.stock().take_copy(sale.product_id).await?;
    Ok(order)
}
