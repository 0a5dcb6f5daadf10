//! What a race asks the database.

use sea_orm::sqlx;
use serde::Serialize;
use uuid::Uuid;

use crate::shop::database::ShopDatabase;

/// What PostgreSQL promises of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Durability {
    /// `synchronous_commit`: with "on", a commit is answered after it is written.
    pub synchronous_commit: String,
    /// `fsync`: with "on", what is written survives a crash of the machine.
    pub fsync: String,
}

impl ShopDatabase {
    /// Makes PostgreSQL refuse a sale of this product that would leave less than nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refuse_oversell(&self, product: Uuid) -> anyhow::Result<()> {
        let sql = "UPDATE products SET refuses_oversell = true WHERE id = $1";
        sqlx::query(sql).bind(product).execute(&self.pool).await?;
        Ok(())
    }

    /// Adds copies of the product. Each copy is a row of its own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_units(&self, product: Uuid, count: u32) -> anyhow::Result<()> {
        let sql = "INSERT INTO units (product_id) SELECT $1 FROM generate_series(1, $2)";
        sqlx::query(sql).bind(product).bind(i64::from(count)).execute(&self.pool).await?;
        Ok(())
    }

    /// Moves all copies of the product into so many buckets.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn spread_stock(&self, product: Uuid, buckets: u32) -> anyhow::Result<()> {
        let spread = sqlx::query("SELECT spread_stock($1, $2)").bind(product).bind(buckets as i32);
        spread.execute(&self.pool).await?;
        Ok(())
    }

    /// What PostgreSQL promises of a commit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn durability(&self) -> anyhow::Result<Durability> {
        let sql = "SELECT current_setting('synchronous_commit'), current_setting('fsync')";
        let (synchronous_commit, fsync) = sqlx::query_as(sql).fetch_one(&self.pool).await?;
        Ok(Durability { synchronous_commit, fsync })
    }
}
