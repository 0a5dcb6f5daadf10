//! What a drill asks the database, and does to it.

use std::collections::BTreeSet;

use sea_orm::sqlx;
use uuid::Uuid;

use crate::check::shop_database::ShopDatabase;

/// Each key of a drill begins with it, so that a later one finds those of one that was killed.
pub const KEY_PREFIX: &str = "lab drill ";

/// The shop's sessions, by the names of its replicas, and none of anybody else's.
const SHOP_SESSIONS: &str = "datname = current_database() AND application_name LIKE 'replica-%'";

impl ShopDatabase {
    /// The orders that were recorded for these keys.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn orders_of_keys(&self, keys: &[String]) -> anyhow::Result<BTreeSet<Uuid>> {
        let sql = "SELECT (body::jsonb ->> 'id')::uuid FROM idempotency_keys
                   WHERE key = ANY ($1) AND status = 200";
        let orders: Vec<Uuid> = sqlx::query_scalar(sql).bind(keys).fetch_all(&self.pool).await?;
        Ok(orders.into_iter().collect())
    }

    /// Removes the records of all keys of drills.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_keys(&self) -> anyhow::Result<()> {
        let delete = sqlx::query("DELETE FROM idempotency_keys WHERE starts_with(key, $1)");
        delete.bind(KEY_PREFIX).execute(&self.pool).await?;
        Ok(())
    }

    /// How many sessions the shop has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shop_sessions(&self) -> anyhow::Result<i64> {
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE {SHOP_SESSIONS}");
        Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&self.pool).await?)
    }

    /// Ends all sessions of the shop, and returns how many there were.
    ///
    /// # Errors
    /// When the database fails, or doesn't let us.
    pub async fn terminate_shop_sessions(&self) -> anyhow::Result<i64> {
        let sql =
            format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {SHOP_SESSIONS}");
        Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&self.pool).await?)
    }

    /// Whether we may change PostgreSQL's settings.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_superuser(&self) -> anyhow::Result<bool> {
        let sql = "SELECT current_setting('is_superuser')::bool";
        Ok(sqlx::query_scalar(sql).fetch_one(&self.pool).await?)
    }
}
