//! What a drill asks the database, and what it changes there.

use std::collections::BTreeSet;
use std::time::Duration;

use sea_orm::sqlx;
use uuid::Uuid;

use crate::shop::database::ShopDatabase;

/// Each key of a drill begins with this text, so that a later drill finds the keys of a drill that was killed.
pub const KEY_PREFIX: &str = "lab drill ";

/// The shop's sessions and nobody else's: they have the names of the shop's replicas.
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

    /// How many of these orders are not in the database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn missing_orders(&self, orders: &[Uuid]) -> anyhow::Result<usize> {
        let sql = "SELECT count(*) FROM unnest($1) AS told (id)
                   WHERE NOT EXISTS (SELECT FROM orders WHERE orders.id = told.id)";
        let missing: i64 = sqlx::query_scalar(sql).bind(orders).fetch_one(&self.pool).await?;
        Ok(usize::try_from(missing)?)
    }

    /// Removes the records of all keys that drills have used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_keys(&self) -> anyhow::Result<()> {
        let delete = sqlx::query("DELETE FROM idempotency_keys WHERE starts_with(key, $1)");
        delete.bind(KEY_PREFIX).execute(&self.pool).await?;
        Ok(())
    }

    /// How many sessions the shop has in the database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shop_sessions(&self) -> anyhow::Result<i64> {
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE {SHOP_SESSIONS}");
        Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&self.pool).await?)
    }

    /// Whether we may see what the shop's sessions do. Our role needs the shop's role for that, or the right to see
    /// all sessions.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sees_shop_sessions(&self) -> anyhow::Result<bool> {
        let sql = format!("SELECT bool_and(state IS NOT NULL) FROM pg_stat_activity WHERE {SHOP_SESSIONS}");
        let sees: Option<bool> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&self.pool).await?;
        Ok(sees.unwrap_or(true))
    }

    /// The process ids of the shop's sessions that are in a transaction or run a statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions_at_work(&self) -> anyhow::Result<BTreeSet<i32>> {
        let sql =
            format!("SELECT pid FROM pg_stat_activity WHERE {SHOP_SESSIONS} AND xact_start IS NOT NULL");
        let pids: Vec<i32> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await?;
        Ok(pids.into_iter().collect())
    }

    /// The process ids of the shop's sessions that are in a transaction in which nothing has happened for `idle_for`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions_left_in_transaction(&self, idle_for: Duration) -> anyhow::Result<BTreeSet<i32>> {
        let sql = format!(
            "SELECT pid FROM pg_stat_activity WHERE {SHOP_SESSIONS} AND state LIKE 'idle in transaction%'
             AND clock_timestamp() - state_change > make_interval(secs => $1)"
        );
        let left = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(idle_for.as_secs_f64());
        let pids: Vec<i32> = left.fetch_all(&self.pool).await?;
        Ok(pids.into_iter().collect())
    }

    /// Ends all sessions of the shop, and returns how many there were.
    ///
    /// # Errors
    /// When the database fails, or doesn't allow it.
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
