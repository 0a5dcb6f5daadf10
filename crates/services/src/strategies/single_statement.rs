//! `single_statement`: as `atomic_update`, with decrement and order in one statement (a WITH query that
//! changes data), which is a transaction by itself: one round trip, and the row is locked only while it runs.
//!
//! The race window stands before the statement, because nothing can wait within one. No connection is held meanwhile,
//! nor at the bulkhead ([`super::bulkhead`]), which stands between the payment and the statement. (With a key there is
//! a transaction around it, and no bulkhead.)

use flash_sale_core::order;

use super::sale::Sale;
use crate::failure::Failure;

pub(super) async fn sell(sale: &Sale<'_>) -> Result<order::Model, Failure> {
    sale.payment.authorize().await;
    if let Some(place) = sale.place {
        place.take().await?;
    }

    match sale.by_one_statement(sale.stock().sell_copy(sale.product_id, sale.served_by)).await? {
        Some(order) => Ok(order),
        None => Err(sale.why_nothing_was_taken().await?),
    }
}
