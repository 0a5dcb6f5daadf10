//! What every strategy is given.

use flash_sale_core::order;
use flash_sale_repositories::{
    BucketRepository, OrderRepository, ProductRepository, StockRepository, UnitRepository,
};
use sea_orm::{DatabaseExecutor, DbErr};
use uuid::Uuid;

use super::bulkhead::Place;
use crate::commit::marking;
use crate::error::ServiceError;
use crate::failure::Failure;
use crate::payment::PaymentProvider;

/// One attempt to sell one copy. [`super::service`] begins its transaction, and ends it with COMMIT after a
/// sale and with ROLLBACK after a failure.
pub(super) struct Sale<'a> {
    pub connection: DatabaseExecutor<'a>,
    pub payment: &'a PaymentProvider,
    pub product_id: Uuid,
    pub served_by: &'a str,
    /// Where this buyer waits for others who buy the same product. `None` where the buyer has a connection already.
    pub place: Option<&'a Place>,
}

impl<'a> Sale<'a> {
    pub fn products(&self) -> ProductRepository<'_, DatabaseExecutor<'a>> {
        ProductRepository::new(&self.connection)
    }

    pub fn stock(&self) -> StockRepository<'_, DatabaseExecutor<'a>> {
        StockRepository::new(&self.connection)
    }

    pub fn units(&self) -> UnitRepository<'_, DatabaseExecutor<'a>> {
        UnitRepository::new(&self.connection)
    }

    pub fn buckets(&self) -> BucketRepository<'_, DatabaseExecutor<'a>> {
        BucketRepository::new(&self.connection)
    }

    /// Inserts the order.
    pub async fn insert_order(&self) -> Result<order::Model, DbErr> {
        OrderRepository::new(&self.connection).create(self.product_id, self.served_by).await
    }

    /// Runs a statement that is a whole sale. Without a transaction around it, the statement is its own COMMIT.
    pub async fn by_one_statement<T>(
        &self,
        statement: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        match self.connection {
            DatabaseExecutor::Connection(_) => marking(statement).await,
            _ => statement.await,
        }
    }

    /// The reason why a statement has found no copy to take.
    pub async fn why_nothing_was_taken(&self) -> Result<Failure, DbErr> {
        let product = self.products().get_by_id(self.product_id).await?;
        Ok(Failure::Refused(product.map_or(ServiceError::ProductNotFound, |_| ServiceError::OutOfStock)))
    }
}
