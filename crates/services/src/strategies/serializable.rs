//! `serializable`: the code of `unlocked`, in transactions that PostgreSQL lets through only if they could
//! have run one after the other. Of two buyers who have read the same stock, one is refused (40001), at any
//! statement or at COMMIT, and starts again from BEGIN.
//!
//! The race window stands between check and sale, as in `unlocked`: whatever changes the row meanwhile makes
//! this attempt fail.

use flash_sale_core::order;
use sea_orm::IsolationLevel;

use super::sale::Sale;
use crate::error::ServiceError;
use crate::failure::Failure;

/// What each attempt begins with.
pub(super) const ISOLATION: IsolationLevel = IsolationLevel::Serializable;

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
