//! SeaORM's traits of databases and transactions: repositories ask for the first, and the exercise may begin its
//! transaction in any way that the others offer.

use std::fmt::{Debug, Display};
use std::pin::Pin;

use sea_orm::entity::prelude::async_trait::async_trait;
use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult, Statement,
    TransactionError, TransactionOptions, TransactionSession, TransactionTrait,
};

use super::{Outer, TillDatabase, TillTransaction, begin_on};

#[async_trait]
impl ConnectionTrait for TillDatabase {
    fn get_database_backend(&self) -> DbBackend {
        self.executor().get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.executor().execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.executor().execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.executor().query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.executor().query_all_raw(statement).await
    }
}

#[async_trait]
impl ConnectionTrait for TillTransaction {
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
impl TransactionSession for TillTransaction {
    async fn commit(self) -> Result<(), DbErr> {
        self.commit().await
    }

    async fn rollback(self) -> Result<(), DbErr> {
        self.rollback().await
    }
}

#[async_trait]
impl TransactionTrait for TillDatabase {
    type Transaction = TillTransaction;

    async fn begin(&self) -> Result<TillTransaction, DbErr> {
        self.begin().await
    }

    async fn begin_with_config(
        &self,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<TillTransaction, DbErr> {
        self.begin_with_config(isolation_level, access_mode).await
    }

    async fn begin_with_options(&self, options: TransactionOptions) -> Result<TillTransaction, DbErr> {
        begin_on(&self.executor(), options, matches!(self.0, Outer::Transaction(_))).await
    }

    async fn transaction<F, T, E>(&self, work: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c TillTransaction) -> Work<'c, T, E> + Send,
        T: Send,
        E: Display + Debug + Send,
    {
        carry_out(self.begin().await, work).await
    }

    async fn transaction_with_config<F, T, E>(
        &self,
        work: F,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c TillTransaction) -> Work<'c, T, E> + Send,
        T: Send,
        E: Display + Debug + Send,
    {
        carry_out(self.begin_with_config(isolation_level, access_mode).await, work).await
    }
}

#[async_trait]
impl TransactionTrait for TillTransaction {
    type Transaction = TillTransaction;

    async fn begin(&self) -> Result<TillTransaction, DbErr> {
        self.begin_with_options(TransactionOptions::default()).await
    }

    async fn begin_with_config(
        &self,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<TillTransaction, DbErr> {
        let options = TransactionOptions { isolation_level, access_mode, ..TransactionOptions::default() };
        self.begin_with_options(options).await
    }

    async fn begin_with_options(&self, options: TransactionOptions) -> Result<TillTransaction, DbErr> {
        begin_on(&self.inner, options, true).await
    }

    async fn transaction<F, T, E>(&self, work: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c TillTransaction) -> Work<'c, T, E> + Send,
        T: Send,
        E: Display + Debug + Send,
    {
        carry_out(self.begin().await, work).await
    }

    async fn transaction_with_config<F, T, E>(
        &self,
        work: F,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c TillTransaction) -> Work<'c, T, E> + Send,
        T: Send,
        E: Display + Debug + Send,
    {
        carry_out(self.begin_with_config(isolation_level, access_mode).await, work).await
    }
}

type Work<'c, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>;

/// Keeps what `work` has done if it succeeds, and otherwise takes it back.
async fn carry_out<F, T, E>(begun: Result<TillTransaction, DbErr>, work: F) -> Result<T, TransactionError<E>>
where
    F: for<'c> FnOnce(&'c TillTransaction) -> Work<'c, T, E> + Send,
    E: Display + Debug,
{
    let transaction = begun.map_err(TransactionError::Connection)?;
    match work(&transaction).await {
        Ok(value) => {
            transaction.commit().await.map_err(TransactionError::Connection)?;
            Ok(value)
        }
        Err(error) => {
            transaction.rollback().await.map_err(TransactionError::Connection)?;
            Err(TransactionError::Transaction(error))
        }
    }
}
