//! Queries on a product's stock, for the strategies: reads that lock, and changes that check. Each change
//! counts the row's version up, so that `optimistic` notices it.

use flash_sale_core::{order, product};
use sea_orm::prelude::*;
use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{DbBackend, FromQueryResult, QuerySelect, Statement, Value};

/// The stock, seen through a connection or a transaction.
pub struct StockRepository<'a, C> {
    connection: &'a C,
}

/// A product's stock, and whether a constraint guards it.
#[derive(Debug, PartialEq, Eq, FromQueryResult)]
pub struct GuardedStock {
    /// Copies in stock.
    pub quantity: i32,
    /// Whether the constraint `products_refuse_oversell_when_opted_in` binds this product.
    pub refuses_oversell: bool,
}

/// Copies of a product that are in rows of other tables.
#[derive(Debug, PartialEq, Eq, FromQueryResult)]
pub struct StockInRows {
    /// Unsold units. `None`: the product has no units.
    pub units: Option<i64>,
    /// Copies in all of its buckets. `None`: the product has no buckets.
    pub in_buckets: Option<i64>,
}

impl<'a, C: ConnectionTrait> StockRepository<'a, C> {
    /// A repository that sends its queries through `connection`.
    pub fn new(connection: &'a C) -> Self {
        Self { connection }
    }

    /// The product, or `None`. Its row stays locked until the transaction ends, but orders of it can still be
    /// inserted: `SELECT … FOR NO KEY UPDATE`
    pub async fn get_for_no_key_update(&self, id: Uuid) -> Result<Option<product::Model>, DbErr> {
        product::Entity::find_by_id(id).lock(LockType::NoKeyUpdate).one(self.connection).await
    }

    /// The product, or `None`. Fails at once when another transaction holds its row:
    /// `SELECT … FOR UPDATE NOWAIT`
    pub async fn get_for_update_nowait(&self, id: Uuid) -> Result<Option<product::Model>, DbErr> {
        let read = product::Entity::find_by_id(id);
        read.lock_with_behavior(LockType::Update, LockBehavior::Nowait).one(self.connection).await
    }

    /// The stock with its guard, or `None`: `SELECT quantity, refuses_oversell …`
    pub async fn get_guarded(&self, id: Uuid) -> Result<Option<GuardedStock>, DbErr> {
        let sql = "SELECT quantity, refuses_oversell FROM products WHERE id = $1";
        GuardedStock::find_by_statement(statement(sql, [id.into()])).one(self.connection).await
    }

    /// The copies that are in rows of other tables. One statement sees all rows at one moment:
    /// `SELECT (SELECT count(*) … FROM units …) AS units, (SELECT sum(quantity) FROM stock_buckets …) AS in_buckets`
    pub async fn get_in_rows(&self, id: Uuid) -> Result<StockInRows, DbErr> {
        let sql = "SELECT (SELECT count(*) FILTER (WHERE order_id IS NULL) FROM units WHERE product_id = $1
                           HAVING count(*) > 0) AS units,
                          (SELECT sum(quantity) FROM stock_buckets WHERE product_id = $1) AS in_buckets";
        let rows = StockInRows::find_by_statement(statement(sql, [id.into()]));
        Ok(rows.one(self.connection).await?.expect("a SELECT without FROM has one row"))
    }

    /// Waits for the product's advisory lock, and keeps it until the transaction ends:
    /// `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`
    pub async fn take_advisory_lock(&self, id: Uuid) -> Result<(), DbErr> {
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
        self.connection.execute_raw(statement(sql, [id.to_string().into()])).await?;
        Ok(())
    }

    /// Takes one copy, whatever the stock is: `UPDATE … SET quantity = quantity - 1 WHERE id = $1`
    pub async fn take_copy(&self, id: Uuid) -> Result<(), DbErr> {
        let sql = "UPDATE products SET quantity = quantity - 1, version = version + 1 WHERE id = $1";
        self.connection.execute_raw(statement(sql, [id.into()])).await?;
        Ok(())
    }

    /// Takes one copy if one is there, and says whether: `UPDATE … WHERE id = $1 AND quantity > 0`
    pub async fn take_copy_if_in_stock(&self, id: Uuid) -> Result<bool, DbErr> {
        let sql = "UPDATE products SET quantity = quantity - 1, version = version + 1
                   WHERE id = $1 AND quantity > 0";
        let updated = self.connection.execute_raw(statement(sql, [id.into()])).await?;
        Ok(updated.rows_affected() == 1)
    }

    /// Takes one copy if the row is still the one that was read, and says whether:
    /// `UPDATE … WHERE id = $1 AND version = $2`
    pub async fn take_copy_if_unchanged(&self, id: Uuid, version: i32) -> Result<bool, DbErr> {
        let sql = "UPDATE products SET quantity = quantity - 1, version = version + 1
                   WHERE id = $1 AND version = $2";
        let updated = self.connection.execute_raw(statement(sql, [id.into(), version.into()])).await?;
        Ok(updated.rows_affected() == 1)
    }

    /// Locks the product's row against other changes of the stock, if nobody holds it, and says whether:
    /// `SELECT … FOR NO KEY UPDATE SKIP LOCKED`
    pub async fn lock_if_free(&self, id: Uuid) -> Result<bool, DbErr> {
        let sql = "SELECT id FROM products WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED";
        Ok(self.connection.query_one_raw(statement(sql, [id.into()])).await?.is_some())
    }

    /// Puts copies back that were taken and not sold: `UPDATE … SET quantity = quantity + $2 WHERE id = $1`
    pub async fn give_back(&self, id: Uuid, copies: u32) -> Result<(), DbErr> {
        let sql = "UPDATE products SET quantity = quantity + $2, version = version + 1 WHERE id = $1";
        self.connection.execute_raw(statement(sql, [id.into(), (copies as i32).into()])).await?;
        Ok(())
    }

    /// Sells one copy if one is there, all in one statement: the new order, or `None`.
    /// `WITH taken AS (UPDATE … WHERE quantity > 0 RETURNING id) INSERT … SELECT … FROM taken RETURNING *`
    pub async fn sell_copy(&self, id: Uuid, served_by: &str) -> Result<Option<order::Model>, DbErr> {
        let sql = "WITH taken AS (
                       UPDATE products SET quantity = quantity - 1, version = version + 1
                       WHERE id = $1 AND quantity > 0 RETURNING id
                   )
                   INSERT INTO orders (product_id, served_by) SELECT id, $2 FROM taken RETURNING *";
        let statement = statement(sql, [id.into(), served_by.into()]);
        order::Entity::find().from_raw_sql(statement).one(self.connection).await
    }

    /// Sells a copy to each of `order_ids`, to the first ones first, as long as there are copies. All is one statement.
    /// Returns the new orders in any order, or `None` when there is no such product.
    ///
    /// `locked` waits for the row and reads its newest stock, `taken` takes what can be sold, `sold` inserts
    /// the orders with a number up to the stock.
    pub async fn sell_copies(
        &self,
        id: Uuid,
        order_ids: &[Uuid],
        served_by: &str,
    ) -> Result<Option<Vec<order::Model>>, DbErr> {
        let sql = "WITH locked AS (
                       SELECT id, quantity FROM products WHERE id = $1 FOR UPDATE
                   ), taken AS (
                       UPDATE products
                       SET quantity = products.quantity - LEAST(locked.quantity, cardinality($2)),
                           version = version + 1
                       FROM locked WHERE products.id = locked.id AND locked.quantity > 0
                   ), sold AS (
                       INSERT INTO orders (id, product_id, served_by)
                       SELECT wanted.id, locked.id, $3
                       FROM locked, unnest($2) WITH ORDINALITY AS wanted (id, number)
                       WHERE wanted.number <= locked.quantity
                       RETURNING *
                   )
                   SELECT sold.* FROM locked LEFT JOIN sold ON true";
        let statement = statement(sql, [id.into(), order_ids.to_vec().into(), served_by.into()]);
        let rows = self.connection.query_all_raw(statement).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        // A product without a sale is one row of NULLs.
        let sold = rows.iter().map(|row| order::Model::from_query_result_optional(row, ""));
        Ok(Some(sold.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()))
    }
}

pub(crate) fn statement<const N: usize>(sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}
