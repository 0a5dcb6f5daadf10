//! The database as [`crate::OrderService::create_order`] gets it. A COMMIT that is sent through it is marked
//! (see [`crate::commit`]), whatever a learner makes of the exercise. All other statements go to SeaORM as they are.

mod as_sea_orm;

use std::sync::Arc;

use sea_orm::{
    AccessMode, DatabaseConnection, DatabaseExecutor, DatabaseTransaction, DbErr, IsolationLevel,
    TransactionOptions, TransactionTrait,
};

use crate::begin;
use crate::commit::marking;

/// Where the till begins its transactions. Clones share it.
#[derive(Clone, Debug)]
pub struct TillDatabase(Outer);

/// What a purchase's own transaction is begun on.
#[derive(Clone, Debug)]
enum Outer {
    Pool(DatabaseConnection),
    /// A purchase with a key is one step of a transaction that also keeps its answer.
    Transaction(Arc<DatabaseTransaction>),
}

/// What [`TillDatabase::begin`] has begun. Dropped without an end, it is rolled back.
#[derive(Debug)]
pub struct TillTransaction {
    inner: DatabaseTransaction,
    /// A savepoint commits nothing yet.
    is_savepoint: bool,
}

impl TillDatabase {
    /// Each purchase is a transaction of its own, on a connection of `pool`.
    pub fn new(pool: DatabaseConnection) -> Self {
        Self(Outer::Pool(pool))
    }

    /// Each purchase is a savepoint of `transaction`.
    pub(crate) fn within(transaction: Arc<DatabaseTransaction>) -> Self {
        Self(Outer::Transaction(transaction))
    }

    /// Begins a transaction: `BEGIN`, or `SAVEPOINT` within another.
    ///
    /// # Errors
    /// When there is no connection, or the database refuses.
    pub async fn begin(&self) -> Result<TillTransaction, DbErr> {
        self.begin_with_config(None, None).await
    }

    /// As [`Self::begin`], with an isolation level and an access mode of its own.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn begin_with_config(
        &self,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<TillTransaction, DbErr> {
        let options = TransactionOptions { isolation_level, access_mode, ..TransactionOptions::default() };
        TransactionTrait::begin_with_options(self, options).await
    }

    fn executor(&self) -> DatabaseExecutor<'_> {
        match &self.0 {
            Outer::Pool(pool) => pool.into(),
            Outer::Transaction(transaction) => (&**transaction).into(),
        }
    }
}

impl TillTransaction {
    /// Keeps what was done: `COMMIT`, or `RELEASE SAVEPOINT`.
    ///
    /// # Errors
    /// When the database refuses, or its answer is lost.
    pub async fn commit(self) -> Result<(), DbErr> {
        if self.is_savepoint { self.inner.commit().await } else { marking(self.inner.commit()).await }
    }

    /// Takes back what was done: `ROLLBACK`, or `ROLLBACK TO SAVEPOINT`.
    ///
    /// # Errors
    /// When the connection is broken. PostgreSQL then takes it back by itself.
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.inner.rollback().await
    }
}

async fn begin_on(
    connection: &impl TransactionTrait<Transaction = DatabaseTransaction>,
    options: TransactionOptions,
    is_savepoint: bool,
) -> Result<TillTransaction, DbErr> {
    let statement = if is_savepoint { "SAVEPOINT" } else { "BEGIN" };
    let inner = begin::logging(statement, connection.begin_with_options(options)).await?;
    Ok(TillTransaction { inner, is_savepoint })
}
