//! What a benchmark asks its own database, beside what a race asks.

use std::collections::BTreeMap;

use sea_orm::sqlx;

use crate::shop::database::ShopDatabase;

impl ShopDatabase {
    /// Removes all sales and the lab's products, and leaves empty tables: the next round must not pay for this one.
    ///
    /// # Errors
    /// When the database fails, or a purchase doesn't end.
    pub async fn clear_sales(&self) -> anyhow::Result<()> {
        sqlx::query("TRUNCATE orders, units, stock_buckets, idempotency_keys").execute(&self.pool).await?;
        self.remove_products().await
    }

    /// The values of these settings of PostgreSQL, in its own units. Settings that this version doesn't know are left
    /// out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settings(&self, names: &[&str]) -> anyhow::Result<BTreeMap<String, String>> {
        let sql = "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY($1)";
        let rows: Vec<(String, String)> = sqlx::query_as(sql).bind(names).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().collect())
    }
}
