//! Queries on `holds`: copies that are out of stock and not sold yet. A hold is a row that is inserted once, and deleted
//! once: when it becomes an order, or when its copy goes back into stock. The transaction that deletes the row decides
//! which of the two it is.

use std::time::Duration;

use flash_sale_core::order;
use sea_orm::prelude::*;
use sea_orm::{FromQueryResult, TryGetable};

use crate::stock_repository::statement;

/// The holds, seen through a connection or a transaction.
pub struct HoldRepository<'a, C> {
    connection: &'a C,
}

/// A hold that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewHold<'a> {
    /// The id, which the caller makes up.
    pub id: Uuid,
    /// What is held.
    pub product_id: Uuid,
    /// The key of the purchase, if it has one.
    pub key: Option<&'a str>,
    /// How long the hold lives, by the clock of the database.
    pub lasts: Duration,
}

/// A product's stock, and its copies that are held.
#[derive(Debug, PartialEq, Eq, FromQueryResult)]
pub struct HeldStock {
    /// Copies in stock.
    pub quantity: i32,
    /// Holds, also those that have lapsed and whose copies are not yet back in stock.
    pub held: i64,
}

impl<'a, C: ConnectionTrait> HoldRepository<'a, C> {
    /// A repository that sends its queries through `connection`.
    pub fn new(connection: &'a C) -> Self {
        Self { connection }
    }

    /// Takes one copy out of stock and writes a hold on it, if a copy is there, and says whether. All is one statement:
    /// `WITH taken AS (UPDATE … WHERE quantity > 0 RETURNING id) INSERT INTO holds … SELECT … FROM taken`
    ///
    /// The UPDATE may wait for the row. `clock_timestamp()` is read after that wait, so the wait costs the hold nothing
    /// of its life.
    ///
    /// The transaction commits without waiting for the disk (`synchronous_commit`), so that the next buyer waits for the
    /// row only as long as the statement runs. If a crash of PostgreSQL loses the hold, the copy is in stock again. An
    /// order never rests on a lost hold: its own COMMIT waits for the disk, and all that was committed before is there
    /// then, too (PostgreSQL manual, "Asynchronous Commit").
    pub async fn take_copy(&self, hold: NewHold<'_>) -> Result<bool, DbErr> {
        let sql = "WITH taken AS (
                       UPDATE products SET quantity = quantity - 1, version = version + 1
                       WHERE id = $1 AND quantity > 0 RETURNING id
                   )
                   INSERT INTO holds (id, product_id, key, expires_at)
                   SELECT $2, id, $3, clock_timestamp() + make_interval(secs => $4) FROM taken
                   WHERE set_config('synchronous_commit', 'off', true) = 'off'";
        let NewHold { id, product_id, key, lasts } = hold;
        let values =
            [product_id.into(), id.into(), key.map(str::to_owned).into(), lasts.as_secs_f64().into()];
        Ok(self.connection.execute_raw(statement(sql, values)).await?.rows_affected() == 1)
    }

    /// Turns the hold into an order, if the hold still lives: the new order, or `None`. All is one statement:
    /// `WITH confirmed AS (DELETE FROM holds … RETURNING product_id) INSERT INTO orders … SELECT … FROM confirmed`
    ///
    /// If somebody else is deleting the hold, the DELETE waits, and then finds no hold.
    pub async fn confirm(&self, id: Uuid, served_by: &str) -> Result<Option<order::Model>, DbErr> {
        let sql = "WITH confirmed AS (
                       DELETE FROM holds WHERE id = $1 AND expires_at > clock_timestamp() RETURNING product_id
                   )
                   INSERT INTO orders (product_id, served_by) SELECT product_id, $2 FROM confirmed RETURNING *";
        let statement = statement(sql, [id.into(), served_by.into()]);
        order::Entity::find().from_raw_sql(statement).one(self.connection).await
    }

    /// The stock and the number of holds, or `None` when there is no such product. One statement sees both at one
    /// moment: `SELECT quantity, (SELECT count(*) FROM holds …) AS held FROM products WHERE id = $1`
    pub async fn get_held_stock(&self, product_id: Uuid) -> Result<Option<HeldStock>, DbErr> {
        let sql = "SELECT quantity, (SELECT count(*) FROM holds WHERE product_id = products.id) AS held
                   FROM products WHERE id = $1";
        HeldStock::find_by_statement(statement(sql, [product_id.into()])).one(self.connection).await
    }

    /// Whether a purchase with this key holds a copy: `SELECT EXISTS (SELECT FROM holds WHERE key = $1)`
    pub async fn has_key(&self, key: &str) -> Result<bool, DbErr> {
        let sql = "SELECT EXISTS (SELECT FROM holds WHERE key = $1)";
        let row = self.connection.query_one_raw(statement(sql, [key.into()])).await?;
        row.map_or(Ok(false), |row| bool::try_get_by_index(&row, 0).map_err(DbErr::from))
    }

    /// The products that have holds which have lapsed: `SELECT DISTINCT product_id … WHERE expires_at <= …`
    pub async fn get_products_with_lapsed(&self) -> Result<Vec<Uuid>, DbErr> {
        let sql = "SELECT DISTINCT product_id FROM holds WHERE expires_at <= clock_timestamp()";
        let rows = self.connection.query_all_raw(statement(sql, [])).await?;
        rows.iter().map(|row| Uuid::try_get_by_index(row, 0).map_err(DbErr::from)).collect()
    }

    /// Deletes up to `most` holds on the product that have lapsed, and returns how many there were. The caller gives
    /// their copies back in the same transaction: `DELETE … WHERE id IN (SELECT … FOR UPDATE SKIP LOCKED)`
    ///
    /// Passes by a hold that its buyer confirms just now.
    pub async fn delete_lapsed(&self, product_id: Uuid, most: u32) -> Result<u32, DbErr> {
        let sql = "DELETE FROM holds WHERE id IN (
                       SELECT id FROM holds WHERE product_id = $1 AND expires_at <= clock_timestamp()
                       LIMIT $2 FOR UPDATE SKIP LOCKED)";
        let values = [product_id.into(), i64::from(most).into()];
        Ok(self.connection.execute_raw(statement(sql, values)).await?.rows_affected() as u32)
    }

    /// Deletes the hold, and says whether it was there. The caller gives its copy back in the same transaction:
    /// `DELETE FROM holds WHERE id = $1`
    pub async fn delete(&self, id: Uuid) -> Result<bool, DbErr> {
        let sql = "DELETE FROM holds WHERE id = $1";
        Ok(self.connection.execute_raw(statement(sql, [id.into()])).await?.rows_affected() == 1)
    }

    /// Deletes all holds on the product, for a reset: `DELETE FROM holds WHERE product_id = $1`
    pub async fn delete_of_product(&self, product_id: Uuid) -> Result<(), DbErr> {
        let sql = "DELETE FROM holds WHERE product_id = $1";
        self.connection.execute_raw(statement(sql, [product_id.into()])).await?;
        Ok(())
    }
}
