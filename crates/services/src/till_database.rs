//! The database as [`crate::OrderService::create_order`] gets it: SeaORM's own pool, which also marks COMMIT
//! (see [`crate::commit`]). So the exercise says plainly what it does, whatever a learner makes of it.

use std::fmt::{Debug, Display};
use std::pin::Pin;

use sea_orm::entity::prelude::async_trait::async_trait;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    IsolationLevel, QueryResult, Statement, TransactionError, TransactionOptions, TransactionSession,
    TransactionTrait,
};

use crate::begin;
use crate::commit::marking;

/// A pool of connections, or a transaction that was begun on one. All statements are handed on as they are.
#[derive(Clone, Debug)]
pub struct TillDatabase<D = DatabaseConnection> {
    inner: D,
    /// 0 is the pool, 1 a transaction, and more a savepoint within one.
    depth: u32,
}

impl TillDatabase {
    /// The same pool.
    pub fn new(pool: DatabaseConnection) -> Self {
        Self { inner: pool, depth: 0 }
    }
}

impl<D> TillDatabase<D> {
    /// The same transaction, in which the till begins a savepoint.
    pub(crate) fn within(transaction: D) -> Self {
        Self { inner: transaction, depth: 1 }
    }
}

#[async_trait]
impl<D: ConnectionTrait> ConnectionTrait for TillDatabase<D> {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.inner.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.inner.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.inner.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.inner.query_all_raw(statement).await
    }
}

#[async_trait]
impl TransactionSession for TillDatabase<DatabaseTransaction> {
    async fn commit(self) -> Result<(), DbErr> {
        if self.depth > 1 {
            // RELEASE SAVEPOINT: it can still be taken back.
            return self.inner.commit().await;
        }
        marking(self.inner.commit()).await
    }

    async fn rollback(self) -> Result<(), DbErr> {
        self.inner.rollback().await
    }
}

#[async_trait]
impl<D: TransactionTrait<Transaction = DatabaseTransaction>> TransactionTrait for TillDatabase<D> {
    type Transaction = TillDatabase<DatabaseTransaction>;

    async fn begin(&self) -> Result<Self::Transaction, DbErr> {
        self.begin_with_options(TransactionOptions::default()).await
    }

    async fn begin_with_config(
        &self,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<Self::Transaction, DbErr> {
        let options = TransactionOptions { isolation_level, access_mode, ..TransactionOptions::default() };
        self.begin_with_options(options).await
    }

    async fn begin_with_options(&self, options: TransactionOptions) -> Result<Self::Transaction, DbErr> {
        let statement = if self.depth == 0 { "BEGIN" } else { "SAVEPOINT" };
        let inner = begin::logging(statement, self.inner.begin_with_options(options)).await?;
        Ok(TillDatabase { inner, depth: self.depth + 1 })
    }

    async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Self::Transaction) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>
            + Send,
        T: Send,
        E: Display + Debug + Send,
    {
        self.transaction_with_config(callback, None, None).await
    }

    async fn transaction_with_config<F, T, E>(
        &self,
        callback: F,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Self::Transaction) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>
            + Send,
        T: Send,
        E: Display + Debug + Send,
    {
        let connection = TransactionError::Connection;
        let transaction = self.begin_with_config(isolation_level, access_mode).await.map_err(connection)?;
        match callback(&transaction).await {
            Ok(value) => transaction.commit().await.map(|()| value).map_err(connection),
            Err(error) => {
                transaction.rollback().await.map_err(connection)?;
                Err(TransactionError::Transaction(error))
            }
        }
    }
}
