//! `optimistic`: nothing is locked while the buyer pays. The sale itself asks whether the row is still the
//! one that was read, by its version; if it isn't, all of it is done again on what is there now.
//!
//! The race window stands between read and sale, where others may sell: the more of them, the more of the
//! work is thrown away, the payment's authorization included. A version protects only as long as every writer
//! counts it up. All strategies do. The exercise does not: don't mix the two on one product.

use flash_sale_core::order;

use super::sale::Sale;
use crate::error::ServiceError;
use crate::failure::Failure;

pub(super) async fn sell(sale: &Sale<'_>) -> Result<order::Model, Failure> {
    let product = sale.products().get_by_id(sale.product_id).await?;
    let product = product.ok_or(ServiceError::ProductNotFound)?;
    if product.quantity <= 0 {
        return Err(ServiceError::OutOfStock.into());
    }
    sale.payment.authorize().await;

    if !sale.stock().take_copy_if_unchanged(product.id, product.version).await? {
        return Err(Failure::Overtaken);
    }
    Ok(sale.insert_order().await?)
}
