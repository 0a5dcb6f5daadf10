//! Runs a purchase by the strategy that the buyer has named: begins and ends its transactions, and tries
//! again when it was overtaken.

use flash_sale_core::order;
use sea_orm::{DatabaseConnection, DatabaseExecutor, IsolationLevel, TransactionTrait};
use uuid::Uuid;

use super::batched::Batches;
use super::retry::until_settled;
use super::sale::{Failure, Sale};
use super::{
    Strategy, advisory_lock, atomic_update, check_constraint, no_key_update, nowait, optimistic, pessimistic,
    serializable, single_statement, skip_locked, unlocked,
};
use crate::{PaymentProvider, ServiceError};

/// The shop's other tills, one for each strategy.
#[derive(Clone)]
pub struct StrategyService {
    database: DatabaseConnection,
    payment: PaymentProvider,
    served_by: String,
    batches: Batches,
}

impl StrategyService {
    /// Tills of the replica `served_by`, whose name goes on each order.
    pub fn new(database: DatabaseConnection, payment: PaymentProvider, served_by: &str) -> Self {
        let batches = Batches::new(database.clone(), served_by);
        Self { database, payment, served_by: served_by.to_owned(), batches }
    }

    /// Sells one copy of the product by `strategy`, and returns the order.
    ///
    /// # Errors
    /// As [`crate::OrderService::create_order`]; also [`ServiceError::Busy`], [`ServiceError::Overloaded`]
    /// and [`ServiceError::StrategyNeeds`]. Each leaves no order and the stock as it was.
    pub async fn create_order(
        &self,
        strategy: Strategy,
        product_id: Uuid,
    ) -> Result<order::Model, ServiceError> {
        let id = product_id;
        match strategy {
            Strategy::Unlocked => self.in_transactions(id, None, unlocked::sell).await,
            Strategy::Pessimistic => self.in_transactions(id, None, pessimistic::sell).await,
            Strategy::NoKeyUpdate => self.in_transactions(id, None, no_key_update::sell).await,
            Strategy::Nowait => self.in_transactions(id, None, nowait::sell).await,
            Strategy::Optimistic => self.in_transactions(id, None, optimistic::sell).await,
            Strategy::AtomicUpdate => self.in_transactions(id, None, atomic_update::sell).await,
            Strategy::CheckConstraint => self.in_transactions(id, None, check_constraint::sell).await,
            Strategy::AdvisoryLock => self.in_transactions(id, None, advisory_lock::sell).await,
            Strategy::SkipLocked => self.in_transactions(id, None, skip_locked::sell).await,
            Strategy::Serializable => {
                self.in_transactions(id, Some(serializable::ISOLATION), serializable::sell).await
            }
            // A statement is a transaction by itself.
            Strategy::SingleStatement => {
                until_settled(|| async {
                    single_statement::sell(&self.sale(DatabaseExecutor::Connection(&self.database), id)).await
                })
                .await
            }
            Strategy::Batched => self.batches.sell(id, &self.payment).await,
        }
    }

    /// Each attempt in a transaction of its own; the default isolation level is READ COMMITTED.
    async fn in_transactions(
        &self,
        product_id: Uuid,
        isolation: Option<IsolationLevel>,
        sell: impl AsyncFn(&Sale<'_>) -> Result<order::Model, Failure>,
    ) -> Result<order::Model, ServiceError> {
        until_settled(|| async {
            let transaction = self.database.begin_with_config(isolation, None).await?;
            let sold = sell(&self.sale(DatabaseExecutor::Transaction(&transaction), product_id)).await;
            match sold {
                Ok(order) => {
                    transaction.commit().await?;
                    Ok(order)
                }
                Err(failure) => {
                    // Before the answer and before the next attempt: no lock outlives its attempt. Should it
                    // fail, the connection is broken, and PostgreSQL takes the transaction back by itself.
                    if let Err(error) = transaction.rollback().await {
                        log::warn!("a purchase was not taken back by the shop itself: {error}");
                    }
                    Err(failure)
                }
            }
        })
        .await
    }

    fn sale<'a>(&'a self, connection: DatabaseExecutor<'a>, product_id: Uuid) -> Sale<'a> {
        Sale { connection, payment: &self.payment, product_id, served_by: &self.served_by }
    }
}
