//! Queries on `units`: products whose copies are rows of their own.

use sea_orm::prelude::*;
use sea_orm::{FromQueryResult, TryGetable};

use crate::stock_repository::statement;

/// The units, seen through a connection or a transaction.
pub struct UnitRepository<'a, C> {
    connection: &'a C,
}

/// How many units a product has.
#[derive(Debug, PartialEq, Eq, FromQueryResult)]
pub struct UnitCount {
    /// All units.
    pub total: i64,
    /// Units without an order, also those that somebody is just buying.
    pub unsold: i64,
}

impl<'a, C: ConnectionTrait> UnitRepository<'a, C> {
    /// A repository that sends its queries through `connection`.
    pub fn new(connection: &'a C) -> Self {
        Self { connection }
    }

    /// An unsold unit that nobody else holds, or `None`. It stays locked until the transaction ends:
    /// `SELECT … WHERE order_id IS NULL LIMIT 1 FOR UPDATE SKIP LOCKED`
    pub async fn claim_unsold(&self, product_id: Uuid) -> Result<Option<i64>, DbErr> {
        let sql = "SELECT id FROM units WHERE product_id = $1 AND order_id IS NULL
                   LIMIT 1 FOR UPDATE SKIP LOCKED";
        let row = self.connection.query_one_raw(statement(sql, [product_id.into()])).await?;
        row.map(|row| i64::try_get_by_index(&row, 0)).transpose().map_err(DbErr::from)
    }

    /// How many units the product has: `SELECT count(*) AS total, …`
    pub async fn count_of_product(&self, product_id: Uuid) -> Result<UnitCount, DbErr> {
        let sql = "SELECT count(*) AS total, count(*) FILTER (WHERE order_id IS NULL) AS unsold
                   FROM units WHERE product_id = $1";
        let count = UnitCount::find_by_statement(statement(sql, [product_id.into()]));
        Ok(count.one(self.connection).await?.expect("an aggregate always has its one row"))
    }

    /// Notes the unit's order: `UPDATE … SET order_id = $2 WHERE id = $1`
    pub async fn set_order(&self, id: i64, order_id: Uuid) -> Result<(), DbErr> {
        let sql = "UPDATE units SET order_id = $2 WHERE id = $1";
        self.connection.execute_raw(statement(sql, [id.into(), order_id.into()])).await?;
        Ok(())
    }
}
