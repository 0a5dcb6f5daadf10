//! What a person sees of the database between two steps: the rows, the locks, and who waits.

use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, ConnectOptions};
use uuid::Uuid;

/// What is committed: the copies that are left, and the orders.
const ROWS: &str = "SELECT quantity + (SELECT count(*) FROM units
                                       WHERE product_id = products.id AND order_id IS NULL)
                                    + (SELECT coalesce(sum(quantity), 0) FROM stock_buckets
                                       WHERE product_id = products.id),
                           (SELECT count(*) FROM orders WHERE product_id = products.id)
                    FROM products WHERE id = $1";

/// The replicas' locks on tables, rows and numbers, and the ends of transactions that are awaited (PostgreSQL manual,
/// section 54.12). A lock on a row stands in the row itself (xmax), so the book's row is asked as well.
const LOCKS: &str = "SELECT application_name,
                            CASE locktype
                                WHEN 'relation' THEN 'table ' || relname
                                WHEN 'tuple' THEN 'place in the queue for a row of ' || relname
                                WHEN 'transactionid' THEN 'end of transaction ' || transactionid
                                ELSE locktype
                            END,
                            mode, granted
                     FROM pg_locks AS locks
                     JOIN pg_stat_activity AS activity ON activity.pid = locks.pid
                     LEFT JOIN pg_class ON pg_class.oid = relation
                     WHERE datname = current_database() AND application_name LIKE 'replica-%'
                       AND (locktype IN ('tuple', 'advisory')
                            OR locktype = 'relation' AND relkind IN ('r', 'p') AND relnamespace <> 11
                            OR NOT granted AND locktype <> 'virtualxid')
                     UNION ALL
                     SELECT application_name, 'row of the book', 'written or locked', true
                     FROM products
                     JOIN pg_locks AS locks ON locktype = 'transactionid' AND granted AND transactionid = products.xmax
                     JOIN pg_stat_activity AS activity ON activity.pid = locks.pid
                     WHERE products.id = $1
                     ORDER BY 1, 4 DESC, 2, 3";

/// The sessions that wait for a lock, each with a session that it waits for.
const WAITS: &str = "SELECT waiting.application_name, holding.application_name
                     FROM pg_stat_activity AS waiting
                     CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS blocking (pid)
                     JOIN pg_stat_activity AS holding ON holding.pid = blocking.pid
                     WHERE waiting.datname = current_database() AND waiting.wait_event_type = 'Lock'
                     ORDER BY 1, 2";

/// A moment between two steps.
#[derive(Clone, Debug)]
pub struct Look {
    /// Copies that are left, as far as it is committed.
    pub left: i64,
    /// Orders that are committed.
    pub orders: u64,
    /// The locks that the actors hold, and those that they wait for.
    pub locks: Vec<HeldLock>,
    /// Which actor waits for which other.
    pub waits: Vec<(usize, usize)>,
    /// The actors that can go on, with their next statements.
    pub next: Vec<Next>,
}

/// An actor that can go on.
#[derive(Clone, Debug)]
pub struct Next {
    /// The index of the actor, from 0.
    pub actor: usize,
    /// Its next statement.
    pub sql: Arc<str>,
}

/// A lock that an actor holds, or waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLock {
    /// The index of the actor, from 0.
    pub actor: usize,
    /// What is locked.
    pub what: String,
    /// How, in PostgreSQL's words.
    pub mode: String,
    /// `false`: the actor waits for it.
    pub is_granted: bool,
}

/// A session of the owner that only reads.
pub(crate) struct Observer(PgConnection);

impl Observer {
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        let options = PgConnectOptions::from_str(url).context("the database's URL")?;
        let options = options.application_name("observer").disable_statement_logging();
        Ok(Self(options.connect().await?))
    }

    pub(crate) async fn look(&mut self, product: Uuid, next: Vec<Next>) -> anyhow::Result<Look> {
        let rows = sqlx::query_as::<_, (i64, i64)>(ROWS).bind(product).fetch_one(&mut self.0);
        let (left, orders) = rows.await?;
        let locks = sqlx::query_as::<_, (String, String, String, bool)>(LOCKS).bind(product);
        let locks =
            locks.fetch_all(&mut self.0).await?.into_iter().filter_map(|(name, what, mode, is_granted)| {
                Some(HeldLock { actor: actor(&name)?, what, mode, is_granted })
            });
        let locks = locks.collect();
        let waits: Vec<(String, String)> = sqlx::query_as(WAITS).fetch_all(&mut self.0).await?;
        let waits = waits.iter().filter_map(|(one, other)| Some((actor(one)?, actor(other)?))).collect();
        Ok(Look { left, orders: orders.unsigned_abs(), locks, waits, next })
    }
}

/// The actor of this replica.
fn actor(replica: &str) -> Option<usize> {
    replica.strip_prefix("replica-")?.parse::<usize>().ok()?.checked_sub(1)
}
