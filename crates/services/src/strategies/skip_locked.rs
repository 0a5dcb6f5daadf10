//! `skip_locked`: each copy is a row of its own (`units`), and each buyer takes a row that nobody holds: FOR UPDATE
//! SKIP LOCKED. No buyer waits for another, and sales of one product share a flush to disk.
//!
//! The race window stands where the unit is locked. The other buyers lose nothing by that while there are other units.
//! When all unsold units are held, "Out of stock" would be wrong: a payment may still fail, and its unit is free again.
//! So the attempt is made again.

use flash_sale_core::order;
use sea_orm::DbErr;

use super::sale::Sale;
use crate::error::ServiceError;
use crate::failure::Failure;

/// Words for the client that has named the strategy.
const NEEDS: &str = "a product with a row in units for each copy, and this one has none";

pub(super) async fn sell(sale: &Sale<'_>) -> Result<order::Model, Failure> {
    let Some(unit) = sale.units().claim_unsold(sale.product_id).await? else {
        return Err(why_none_is_free(sale).await?);
    };
    sale.payment.authorize().await;

    let order = sale.insert_order().await?;
    sale.units().set_order(unit, order.id).await?;
    Ok(order)
}

async fn why_none_is_free(sale: &Sale<'_>) -> Result<Failure, DbErr> {
    let units = sale.units().count_of_product(sale.product_id).await?;
    if units.unsold > 0 {
        return Ok(Failure::Overtaken);
    }
    if units.total > 0 {
        return Ok(ServiceError::OutOfStock.into());
    }
    let product = sale.products().get_by_id(sale.product_id).await?;
    Ok(product.map_or(ServiceError::ProductNotFound, |_| ServiceError::StrategyNeeds(NEEDS)).into())
}
