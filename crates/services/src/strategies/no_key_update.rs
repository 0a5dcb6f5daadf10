//! `no_key_update`: SELECT … FOR NO KEY UPDATE. As `pessimistic`, with the weaker lock that an UPDATE of the stock
//! takes anyway. It keeps other buyers out. It doesn't hold up the foreign key check of a transaction that inserts an
//! order of this product without this lock. FOR UPDATE does, because it announces that the row's key may change or go
//! (PostgreSQL manual, section 13.3.2).
//!
//! The race window stands where the row is locked, and the bulkhead before BEGIN, as in `pessimistic`.

use flash_sale_core::order;

use super::sale::Sale;
use crate::error::ServiceError;
use crate::failure::Failure;

pub(super) async fn sell(sale: &Sale<'_>) -> Result<order::Model, Failure> {
    let product = sale.stock().get_for_no_key_update(sale.product_id).await?;
    if product.ok_or(ServiceError::ProductNotFound)?.quantity <= 0 {
        return Err(ServiceError::OutOfStock.into());
    }
    sale.payment.authorize().await;

    let order = sale.insert_order().await?;
    sale.stock().take_copy(sale.product_id).await?;
    Ok(order)
}
