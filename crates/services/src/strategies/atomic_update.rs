//! `atomic_update`: UPDATE … WHERE quantity > 0. Check and decrement are one statement. It waits for a transaction that
//! is changing the row, and then checks the new row (PostgreSQL manual, section 13.2.1).
//!
//! The race window stands before the UPDATE, because the row is locked from the UPDATE to COMMIT. The price: a buyer
//! whose payment is authorized may find that nothing is left.

use flash_sale_core::order;

use super::sale::Sale;
use crate::failure::Failure;

pub(super) async fn sell(sale: &Sale<'_>) -> Result<order::Model, Failure> {
    sale.payment.authorize().await;

    if !sale.stock().take_copy_if_in_stock(sale.product_id).await? {
        return Err(sale.why_nothing_was_taken().await?);
    }
    Ok(sale.insert_order().await?)
}
