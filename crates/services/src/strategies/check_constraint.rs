//! `check_constraint`: sells as `unlocked` does, and PostgreSQL refuses a decrement below zero (23514). The constraint
//! decides. The check in the code only spares late buyers the payment.
//!
//! The race window stands between check and sale, as in `unlocked`. A buyer may pass the check, pay, and be refused
//! only then. The constraint binds only products that opt in (`products.refuses_oversell`).

use flash_sale_core::order;

use super::sale::Sale;
use crate::error::ServiceError;
use crate::failure::Failure;

/// Words for the client that has named the strategy.
const NEEDS: &str = "a product that refuses to be oversold (refuses_oversell), and this one doesn't";

pub(super) async fn sell(sale: &Sale<'_>) -> Result<order::Model, Failure> {
    let stock = sale.stock().get_guarded(sale.product_id).await?.ok_or(ServiceError::ProductNotFound)?;
    if !stock.refuses_oversell {
        return Err(ServiceError::StrategyNeeds(NEEDS).into());
    }
    if stock.quantity <= 0 {
        return Err(ServiceError::OutOfStock.into());
    }
    sale.payment.authorize().await;

    let order = sale.insert_order().await?;
    sale.stock().take_copy(sale.product_id).await?;
    Ok(order)
}
