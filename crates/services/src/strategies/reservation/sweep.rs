//! Gives the copies of lapsed holds back. Every replica does it again and again, so a hold whose replica has died is
//! swept by another one.

use flash_sale_repositories::{HoldRepository, StockRepository};
use sea_orm::{DatabaseTransaction, TransactionTrait};
use uuid::Uuid;

use super::Reservations;
use crate::begin;
use crate::error::ServiceError;
use crate::failure::Failure;
use crate::strategies::ending::end_without_order;
use crate::strategies::retry::until_settled;

/// How many holds on one product are swept at once. More might take longer than the time limit of a statement. The rest
/// comes the next time.
const MOST_AT_ONCE: u32 = 10_000;

impl Reservations {
    /// Gives the copies of lapsed holds back, and returns how many. Each product has a transaction of its own: the holds
    /// go and the copies come back together, so a crash leaves both or neither.
    ///
    /// # Errors
    /// [`ServiceError::Database`]. The rest lapses all the same, and is swept the next time.
    pub async fn sweep(&self) -> Result<u64, ServiceError> {
        let mut copies = 0;
        for product_id in self.holds(&self.database).get_products_with_lapsed().await? {
            copies += until_settled(|| async {
                let transaction = begin::logging("BEGIN", self.database.begin()).await?;
                let swept = sweep_product(&transaction, product_id).await;
                end_without_order(transaction, swept).await
            })
            .await?;
        }
        Ok(copies)
    }
}

/// The product's row is locked before its holds, as a reset does it: otherwise the two could deadlock. If somebody has
/// the row, it is left out, so that one busy product doesn't hold up the others. The next sweep comes soon.
async fn sweep_product(transaction: &DatabaseTransaction, product_id: Uuid) -> Result<u64, Failure> {
    let stock = StockRepository::new(transaction);
    if !stock.lock_if_free(product_id).await? {
        return Ok(0);
    }
    let copies = HoldRepository::new(transaction).delete_lapsed(product_id, MOST_AT_ONCE).await?;
    if copies > 0 {
        stock.give_back(product_id, copies).await?;
    }
    Ok(copies.into())
}
