//! What a race asks the database.

use std::time::SystemTime;

use sea_orm::sqlx;
use serde::Serialize;
use uuid::Uuid;

use crate::shop::database::ShopDatabase;

/// What the rows say of a product that was raced for.
#[derive(Clone, Debug)]
pub struct RowsOfRace {
    /// Copies in stock, those that are rows of their own (`units`) included.
    pub left: i64,
    /// Its orders' ids.
    pub orders: Vec<Uuid>,
    /// When the order that took the last copy was written, in seconds since 1970 by the database's clock.
    pub last_copy_sold: Option<f64>,
}

/// What PostgreSQL promises of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Durability {
    /// `synchronous_commit`: on when a commit is answered after it is written.
    pub synchronous_commit: String,
    /// `fsync`: on when written means that it survives the machine.
    pub fsync: String,
}

impl ShopDatabase {
    /// Has PostgreSQL refuse a sale of this product that would leave less than nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refuse_oversell(&self, product: Uuid) -> anyhow::Result<()> {
        let sql = "UPDATE products SET refuses_oversell = true WHERE id = $1";
        sqlx::query(sql).bind(product).execute(&self.pool).await?;
        Ok(())
    }

    /// Adds copies that are rows of their own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_units(&self, product: Uuid, count: u32) -> anyhow::Result<()> {
        let sql = "INSERT INTO units (product_id) SELECT $1 FROM generate_series(1, $2)";
        sqlx::query(sql).bind(product).bind(i64::from(count)).execute(&self.pool).await?;
        Ok(())
    }

    /// As [`ShopDatabase::rows`], and when the last of `stock` copies was sold.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows_of_race(&self, product: Uuid, stock: u32) -> anyhow::Result<RowsOfRace> {
        let sql = "SELECT quantity + (SELECT count(*) FROM units
                                      WHERE product_id = products.id AND order_id IS NULL),
                          ARRAY(SELECT id FROM orders WHERE product_id = products.id),
                          (SELECT extract(epoch FROM created_at)::float8 FROM orders
                           WHERE product_id = products.id ORDER BY created_at OFFSET $2 - 1 LIMIT 1)
                   FROM products WHERE id = $1";
        let rows = sqlx::query_as(sql).bind(product).bind(i64::from(stock));
        let (left, orders, last_copy_sold) = rows.fetch_one(&self.pool).await?;
        Ok(RowsOfRace { left, orders, last_copy_sold })
    }

    /// By how many seconds the database's clock is ahead of ours: the answer that came fastest says it best.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clock_ahead(&self) -> anyhow::Result<f64> {
        let sql = "SELECT extract(epoch FROM clock_timestamp())::float8";
        let mut best = (f64::MAX, 0.0);
        for _ in 0..5 {
            let asked = seconds_since_1970();
            let theirs: f64 = sqlx::query_scalar(sql).fetch_one(&self.pool).await?;
            let took = seconds_since_1970() - asked;
            if took < best.0 {
                best = (took, theirs - (asked + took / 2.0));
            }
        }
        Ok(best.1)
    }

    /// What a commit is worth.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn durability(&self) -> anyhow::Result<Durability> {
        let sql = "SELECT current_setting('synchronous_commit'), current_setting('fsync')";
        let (synchronous_commit, fsync) = sqlx::query_as(sql).fetch_one(&self.pool).await?;
        Ok(Durability { synchronous_commit, fsync })
    }
}

fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
