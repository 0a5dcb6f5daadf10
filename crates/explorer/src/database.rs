//! The explorer's own database: the product that is sold, what the rows say afterwards, and who waits for whom.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use anyhow::Context;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions, Executor};
use uuid::Uuid;

use crate::outcome::Rows;
use crate::piece::Piece;

/// The first number of the advisory locks that stop a statement inside. The second one is the process id of its server
/// process.
const INSIDE: i32 = 0x464c_5348;

/// A trigger that stops a statement after its snapshot was taken, and before it writes. A trigger for each statement
/// fires before the first row is looked at (PostgreSQL manual, section 39.1). It waits for a lock that the explorer holds.
const STOP_INSIDE: &str = "
    CREATE FUNCTION stop_inside() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        PERFORM pg_advisory_lock_shared(1179407176, pg_backend_pid());
        PERFORM pg_advisory_unlock_shared(1179407176, pg_backend_pid());
        RETURN NULL;
    END $$;
    CREATE TRIGGER stop_inside BEFORE INSERT OR UPDATE ON orders FOR EACH STATEMENT EXECUTE FUNCTION stop_inside();
    CREATE TRIGGER stop_inside BEFORE INSERT OR UPDATE ON products FOR EACH STATEMENT EXECUTE FUNCTION stop_inside();
    CREATE TRIGGER stop_inside BEFORE INSERT OR UPDATE ON stock_buckets
        FOR EACH STATEMENT EXECUTE FUNCTION stop_inside();";

/// Has the replicas' statements find a `random()` of the explorer's own before PostgreSQL's. Chance would make each play
/// another one.
const OWN_RANDOM: &str = "
    CREATE SCHEMA explorer;
    GRANT USAGE ON SCHEMA explorer TO PUBLIC;
    DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET search_path = explorer, pg_catalog, public', current_database());
    END $$;";

/// One row for each session that waits for a lock, with the sessions that it waits for.
const WHO_WAITS: &str = "SELECT pid, pg_blocking_pids(pid) FROM unnest($1::int4[]) AS waiting (pid)";

/// A session of the owner.
pub(crate) struct ExplorerDatabase {
    session: PgConnection,
    /// The process id of the session's server process.
    own_pid: i32,
}

impl ExplorerDatabase {
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        let options = PgConnectOptions::from_str(url).context("the database's URL")?;
        let options = options.application_name("explorer").options([("lock_timeout", "5s")]);
        let mut session = options.disable_statement_logging().connect().await?;
        let own_pid = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut session).await?;
        Ok(Self { session, own_pid })
    }

    /// The process id of the server process that holds the locks of statements that are stopped inside.
    pub(crate) fn own_pid(&self) -> i32 {
        self.own_pid
    }

    /// The names of all tables.
    pub(crate) async fn tables(&mut self) -> anyhow::Result<BTreeSet<String>> {
        let sql = "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm')
                   AND relnamespace = 'public'::regnamespace";
        let names: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut self.session).await?;
        Ok(names.into_iter().collect())
    }

    /// Lets statements be stopped inside, and takes chance out of all sessions that begin later.
    pub(crate) async fn take_control(&mut self) -> anyhow::Result<()> {
        self.session.execute(STOP_INSIDE).await?;
        self.session.execute(OWN_RANDOM).await?;
        self.throw(&[], 1).await
    }

    /// From now on, `random()` returns to the replica of each actor a number in the middle of the range that `dice` name,
    /// of so many ranges of the same size. It is the first range for actors that `dice` don't name.
    pub(crate) async fn throw(&mut self, dice: &[usize], ranges: usize) -> anyhow::Result<()> {
        let middle = |range: usize| (range as f64 + 0.5) / ranges.max(1) as f64;
        let cases = dice.iter().enumerate().map(|(actor, range)| {
            format!("WHEN application_name = 'replica-{}' THEN {}", actor + 1, middle(*range))
        });
        let cases = cases.collect::<Vec<_>>().join(" ");
        let sql = format!(
            "CREATE OR REPLACE FUNCTION explorer.random() RETURNS float8 LANGUAGE sql VOLATILE AS $$
                 SELECT (CASE {cases} WHEN true THEN {} END)::float8
                 FROM (SELECT current_setting('application_name')) AS session (application_name) $$",
            middle(0)
        );
        self.session.execute(AssertSqlSafe(sql)).await?;
        Ok(())
    }

    /// From now on, the next write of this server process is stopped inside.
    pub(crate) async fn stop(&mut self, pid: i32) -> anyhow::Result<()> {
        let lock = sqlx::query("SELECT pg_advisory_lock($1, $2)").bind(INSIDE).bind(pid);
        lock.execute(&mut self.session).await?;
        Ok(())
    }

    /// Lets this server process go on.
    pub(crate) async fn go_on(&mut self, pid: i32) -> anyhow::Result<()> {
        let unlock = sqlx::query("SELECT pg_advisory_unlock($1, $2)").bind(INSIDE).bind(pid);
        unlock.execute(&mut self.session).await?;
        Ok(())
    }

    /// Whether this strategy can't sell the product in the shop's window.
    pub(crate) fn needs_own_product(strategy: &str) -> bool {
        matches!(strategy, "skip_locked" | "check_constraint" | "stock_buckets")
    }

    /// The product in the shop's window. Other products are for strategies that need one of their own.
    pub(crate) async fn product_for(&mut self, strategy: Option<&str>) -> anyhow::Result<Uuid> {
        let sql = match strategy {
            Some(strategy) if Self::needs_own_product(strategy) => {
                "INSERT INTO products (title, author, year, price, quantity, created_at, refuses_oversell)
                 VALUES ('explored', 'the explorer', 2026, 1.00, 0, now() + interval '100 years', $1) RETURNING id"
            }
            _ => "SELECT id FROM products WHERE $1 IS NOT NULL ORDER BY created_at, id LIMIT 1",
        };
        let refuses_oversell = strategy == Some("check_constraint");
        Ok(sqlx::query_scalar(sql).bind(refuses_oversell).fetch_one(&mut self.session).await?)
    }

    /// Gives the product so many units.
    pub(crate) async fn make_units(&mut self, product: Uuid, stock: i64) -> anyhow::Result<()> {
        let sql = "INSERT INTO units (product_id) SELECT $1 FROM generate_series(1, $2)";
        sqlx::query(sql).bind(product).bind(stock).execute(&mut self.session).await?;
        Ok(())
    }

    /// Puts everything back to where a schedule of this piece begins: no orders, no keys, no holds, all copies in stock.
    pub(crate) async fn begin_anew(&mut self, piece: &Piece) -> anyhow::Result<()> {
        let Piece { product, quantity, buckets, .. } = piece;
        let sql = format!(
            "UPDATE units SET order_id = NULL WHERE order_id IS NOT NULL; DELETE FROM orders;
             DELETE FROM idempotency_keys; DELETE FROM holds; DELETE FROM stock_buckets;
             UPDATE products SET quantity = {quantity}, version = 0 WHERE id = '{product}';
             SELECT spread_stock('{product}', {buckets});"
        );
        self.session.execute(AssertSqlSafe(sql)).await?;
        Ok(())
    }

    /// What is left of the product, its holds and its orders.
    pub(crate) async fn rows(&mut self, product: Uuid) -> anyhow::Result<Rows> {
        let sql = "SELECT quantity + (SELECT count(*) FROM units
                                      WHERE product_id = products.id AND order_id IS NULL)
                                   + (SELECT coalesce(sum(quantity), 0) FROM stock_buckets
                                      WHERE product_id = products.id),
                          (SELECT count(*) FROM holds WHERE product_id = products.id),
                          ARRAY(SELECT id FROM orders WHERE product_id = products.id)
                   FROM products WHERE id = $1";
        let (left, held, orders): (i64, i64, Vec<Uuid>) =
            sqlx::query_as(sql).bind(product).fetch_one(&mut self.session).await?;
        Ok(Rows { left, held, orders: orders.into_iter().collect() })
    }

    /// Which of these server processes wait for which others.
    pub(crate) async fn who_waits(&mut self, pids: &[i32]) -> anyhow::Result<BTreeMap<i32, Vec<i32>>> {
        let rows = sqlx::query_as::<_, (i32, Vec<i32>)>(WHO_WAITS).bind(pids);
        let rows = rows.fetch_all(&mut self.session).await?;
        Ok(rows.into_iter().filter(|(_, blocking)| !blocking.is_empty()).collect())
    }

    /// Whether one of these server processes still runs and doesn't wait for a lock.
    pub(crate) async fn have_more_to_do(&mut self, pids: &[i32]) -> anyhow::Result<bool> {
        let sql = "SELECT count(*) > 0 FROM pg_stat_activity
                   WHERE pid = ANY ($1) AND wait_event_type IS DISTINCT FROM 'Lock'";
        Ok(sqlx::query_scalar(sql).bind(pids).fetch_one(&mut self.session).await?)
    }

    /// Ends the sessions of these server processes, and with them what they left open.
    pub(crate) async fn end_sessions(&mut self, pids: &[i32]) -> anyhow::Result<()> {
        let sql = "SELECT pg_terminate_backend(pid, 5000) FROM unnest($1::int4[]) AS sessions (pid)";
        sqlx::query(sql).bind(pids).execute(&mut self.session).await?;
        Ok(())
    }

    /// The isolation level of transactions that ask for none, as `read committed`.
    pub(crate) async fn isolation(&mut self) -> anyhow::Result<String> {
        Ok(sqlx::query_scalar("SHOW default_transaction_isolation").fetch_one(&mut self.session).await?)
    }

    /// PostgreSQL's version, as `15.18`.
    pub(crate) async fn version(&mut self) -> anyhow::Result<String> {
        let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&mut self.session).await?;
        Ok(version.split(' ').next().unwrap_or_default().to_owned())
    }
}
