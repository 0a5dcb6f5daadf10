//! What every strategy is given, and the two ways in which it can fail.

use flash_sale_core::database_error::{DatabaseErrorKind, kind};
use flash_sale_core::order;
use flash_sale_repositories::{OrderRepository, ProductRepository, StockRepository, UnitRepository};
use sea_orm::{DatabaseExecutor, DbErr};
use uuid::Uuid;

use crate::commit::marking;
use crate::{PaymentProvider, ServiceError};

/// One attempt to sell one copy. [`super::service`] begins its transaction, and ends it with COMMIT after a
/// sale and with ROLLBACK after a failure.
pub(super) struct Sale<'a> {
    pub connection: DatabaseExecutor<'a>,
    pub payment: &'a PaymentProvider,
    pub product_id: Uuid,
    pub served_by: &'a str,
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

    /// Inserts the order.
    pub async fn create_order(&self) -> Result<order::Model, DbErr> {
        OrderRepository::new(&self.connection).create(self.product_id, self.served_by).await
    }

    /// Runs a statement that sells all by itself. Without a transaction around it, it is its own COMMIT.
    pub async fn by_one_statement<T>(
        &self,
        statement: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        match self.connection {
            DatabaseExecutor::Connection(_) => marking(statement).await,
            _ => statement.await,
        }
    }

    /// Why nothing could be sold, when a statement has found no copy to take.
    pub async fn why_nothing_was_taken(&self) -> Result<Failure, DbErr> {
        let product = self.products().get_by_id(self.product_id).await?;
        Ok(Failure::Refused(product.map_or(ServiceError::ProductNotFound, |_| ServiceError::OutOfStock)))
    }
}

/// How an attempt ends that sells nothing.
pub(crate) enum Failure {
    /// This is the answer.
    Refused(ServiceError),
    /// Somebody else was faster: the attempt is made again, on what is there now.
    Overtaken,
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::Refused(error)
    }
}

/// What each error of the database means for a purchase: the one place that says so. Only `nowait` differs,
/// for which a lock that is taken is an answer rather than an outage.
impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        match kind(&error) {
            DatabaseErrorKind::SerializationFailure | DatabaseErrorKind::DeadlockDetected => Self::Overtaken,
            DatabaseErrorKind::CheckViolation => Self::Refused(ServiceError::OutOfStock),
            // Over a time limit: 503. The limits are lock_timeout and statement_timeout.
            DatabaseErrorKind::LockNotAvailable | DatabaseErrorKind::QueryCanceled => {
                Self::Refused(error.into())
            }
            DatabaseErrorKind::Other => Self::Refused(error.into()),
        }
    }
}
