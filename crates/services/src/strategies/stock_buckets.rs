//! `stock_buckets`: the stock of one product is spread over several rows, its buckets. The purchase is that of
//! `atomic_update`, but it takes its copy from a bucket at random. So buyers rarely wait for one another, and sales of
//! one product share a flush to disk.
//!
//! An attempt waits for one bucket at most, and holds none meanwhile: so no two purchases can wait for each other. If the
//! bucket is empty after the wait, the attempt ends and gives its lock back. The next attempt takes from the others.
//!
//! "Out of stock" is said only when all buckets are empty in one snapshot. Buckets that are read one after the other could
//! be empty each at its moment although the product never was. The race window stands before the UPDATE, as in
//! `atomic_update`, and an attempt that is made again pays again.

use flash_sale_core::order;
use flash_sale_repositories::BucketCount;
use sea_orm::DbErr;

use super::sale::Sale;
use crate::error::ServiceError;
use crate::failure::Failure;

/// Words for the client that has named the strategy.
const NEEDS: &str = "a product whose stock is spread over rows of stock_buckets, and this one's is not";

pub(super) async fn sell(sale: &Sale<'_>) -> Result<order::Model, Failure> {
    sale.payment.authorize().await;

    if !sale.buckets().take_copy(sale.product_id).await? {
        return Err(why_nothing_was_taken(sale).await?);
    }
    Ok(sale.insert_order().await?)
}

async fn why_nothing_was_taken(sale: &Sale<'_>) -> Result<Failure, DbErr> {
    Ok(match sale.buckets().count_of_product(sale.product_id).await? {
        // The bucket was emptied during the wait, and another one was not.
        BucketCount { quantity: 1.., .. } => Failure::Overtaken,
        BucketCount { buckets: 1.., .. } => ServiceError::OutOfStock.into(),
        BucketCount { .. } => {
            let product = sale.products().get_by_id(sale.product_id).await?;
            product.map_or(ServiceError::ProductNotFound, |_| ServiceError::StrategyNeeds(NEEDS)).into()
        }
    })
}
