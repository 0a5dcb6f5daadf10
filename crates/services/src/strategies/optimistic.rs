//! `optimistic`: nothing is locked while the buyer pays. The sale itself compares the row's version with the version
//! that was read. If they differ, the whole attempt is made again.
//!
//! The race window stands between read and sale, where others may sell. The more buyers there are, the more work is
//! thrown away, payments included. A version protects only if every writer counts it up. All strategies do. The
//! exercise does not, so don't mix both on one product.

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
