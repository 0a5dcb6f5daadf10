//! `serializable`: the code of `unlocked`, in transactions that PostgreSQL accepts only if they could have run one
//! after the other. If two buyers have read the same stock, PostgreSQL refuses one of them (40001), at any statement
//! or at COMMIT. That buyer's attempt starts again from BEGIN.
//!
//! The race window stands between check and sale, as in `unlocked`. If another transaction changes the row meanwhile,
//! the attempt fails.

use flash_sale_core::order;
use sea_orm::IsolationLevel;

use super::sale::Sale;
use crate::error::ServiceError;
use crate::failure::Failure;

/// The isolation level of each attempt.
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
