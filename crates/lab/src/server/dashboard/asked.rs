//! What PostgreSQL says of the book, of its sessions and of their locks. It is asked on a session of the lab's own, which
//! is kept between two questions.

use std::str::FromStr;
use std::time::Duration;

use flash_sale_core::secret::Secret;
use flash_sale_dashboard::shop_state::{BookState, DatabaseState, LockState, SessionsState};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, ConnectOptions, Connection};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// PostgreSQL's time for an answer. The page waits for it.
const LIMIT: Duration = Duration::from_secs(1);
/// PostgreSQL ends the question itself a little earlier, so that it does not go on without us.
const STATEMENT_LIMIT: &str = "900ms";
/// The name of our session. It is left out of what is shown.
const NAME: &str = "flash-sale dashboard";

/// The shop's window shows the oldest product.
const BOOK: &str = "SELECT title, quantity::bigint,
                           (SELECT count(*) FROM orders WHERE orders.product_id = products.id)
                    FROM products ORDER BY created_at, id LIMIT 1";

/// The sessions of this database's clients, by their name.
const SESSIONS: &str = "SELECT coalesce(nullif(application_name, ''), '(no name)'), count(*),
                               count(*) FILTER (WHERE state = 'active'),
                               count(*) FILTER (WHERE state LIKE 'idle in transaction%'),
                               count(*) FILTER (WHERE wait_event_type = 'Lock')
                        FROM pg_stat_activity
                        WHERE datname = current_database() AND backend_type = 'client backend'
                          AND pid <> pg_backend_pid()
                        GROUP BY 1 ORDER BY 1";

/// Locks on tables, rows and numbers, and on the end of a transaction where it is awaited (PostgreSQL manual,
/// "pg_locks"). Every transaction locks its own end, and every index that it uses, so those are left out.
const LOCKS: &str = "SELECT locks.pid, coalesce(nullif(application_name, ''), '(no name)'),
                            CASE locktype
                                WHEN 'relation' THEN relname::text
                                WHEN 'tuple' THEN 'row of ' || relname
                                WHEN 'transactionid' THEN 'end of transaction ' || transactionid
                                ELSE locktype
                            END,
                            mode, granted,
                            CASE WHEN granted THEN '{}' ELSE pg_blocking_pids(locks.pid) END,
                            extract(epoch FROM clock_timestamp() - xact_start)::float8 * 1000,
                            count(*) FILTER (WHERE granted) OVER (), count(*) FILTER (WHERE NOT granted) OVER ()
                     FROM pg_locks AS locks
                     JOIN pg_stat_activity AS activity ON activity.pid = locks.pid
                     LEFT JOIN pg_class ON pg_class.oid = relation
                     WHERE datname = current_database() AND locks.pid <> pg_backend_pid()
                       AND (locktype IN ('tuple', 'advisory') AND (relation IS NULL OR relnamespace <> 11)
                            OR locktype = 'relation' AND relkind IN ('r', 'p') AND relnamespace <> 11
                            OR NOT granted AND locktype <> 'virtualxid')
                     ORDER BY granted, xact_start, locks.pid, 3, 4 LIMIT 200";

/// What PostgreSQL has counted in this database.
const COUNTERS: &str =
    "SELECT xact_commit, xact_rollback, deadlocks FROM pg_stat_database WHERE datname = current_database()";

type LockRow = (i32, String, Option<String>, String, bool, Vec<i32>, Option<f64>, i64, i64);

/// The session, and the questions.
#[derive(Default)]
pub(super) struct Asked(Mutex<Option<PgConnection>>);

impl Asked {
    /// Asks the database of this URL.
    ///
    /// # Errors
    /// The reason, for a page: it holds no text of the database's own.
    pub(super) async fn ask(&self, url: &Secret) -> Result<DatabaseState, String> {
        let mut kept = self.0.lock().await;
        // Taken out: a session that was given up in the middle of a question is of no use any more.
        let session = kept.take();
        let answer = async {
            match session {
                // It may have ended with a server that is back by now.
                Some(session) => match ask(Some(session), url).await {
                    Err(sqlx::Error::Io(_) | sqlx::Error::Database(_)) => ask(None, url).await,
                    answer => answer,
                },
                None => ask(None, url).await,
            }
        };
        match timeout(LIMIT, answer).await {
            Ok(Ok((session, state))) => {
                *kept = Some(session);
                Ok(state)
            }
            Ok(Err(error)) => Err(reason(&error)),
            Err(_) => Err(format!("no answer in {} s", LIMIT.as_secs())),
        }
    }
}

async fn ask(
    session: Option<PgConnection>,
    url: &Secret,
) -> Result<(PgConnection, DatabaseState), sqlx::Error> {
    let mut session = match session {
        Some(session) => session,
        None => {
            let options = PgConnectOptions::from_str(url.reveal())?;
            let options = options.application_name(NAME).disable_statement_logging();
            options.options([("statement_timeout", STATEMENT_LIMIT)]).connect().await?
        }
    };
    session.ping().await?;
    let book: Option<(String, i64, i64)> = sqlx::query_as(BOOK).fetch_optional(&mut session).await?;
    let sessions: Vec<(String, i64, i64, i64, i64)> =
        sqlx::query_as(SESSIONS).fetch_all(&mut session).await?;
    let locks: Vec<LockRow> = sqlx::query_as(LOCKS).fetch_all(&mut session).await?;
    let (commits, rollbacks, deadlocks): (i64, i64, i64) =
        sqlx::query_as(COUNTERS).fetch_one(&mut session).await?;
    let (held, awaited) = locks.first().map_or((0, 0), |lock| (lock.7, lock.8));
    let state = DatabaseState {
        book: book.map(|(title, stock, orders)| BookState { title, stock, orders: orders.unsigned_abs() }),
        locks: locks.into_iter().map(lock_state).collect(),
        locks_held: held.unsigned_abs(),
        locks_awaited: awaited.unsigned_abs(),
        sessions: sessions.into_iter().map(sessions_state).collect(),
        commits: commits.unsigned_abs(),
        rollbacks: rollbacks.unsigned_abs(),
        deadlocks: deadlocks.unsigned_abs(),
    };
    Ok((session, state))
}

fn lock_state(
    (backend_pid, session, what, mode, granted, waits_for, transaction_ms, _, _): LockRow,
) -> LockState {
    let what = what.unwrap_or_else(|| "something that is gone".to_owned());
    LockState { backend_pid, session, what, mode, granted, waits_for, transaction_ms }
}

fn sessions_state(
    (name, open, active, idle_in_transaction, waiting): (String, i64, i64, i64, i64),
) -> SessionsState {
    SessionsState {
        name,
        open: open.unsigned_abs(),
        active: active.unsigned_abs(),
        idle_in_transaction: idle_in_transaction.unsigned_abs(),
        waiting: waiting.unsigned_abs(),
    }
}

fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(error) => error.kind().to_string(),
        sqlx::Error::Database(error) => {
            format!("it refuses (SQLSTATE {})", error.code().unwrap_or_default())
        }
        _ => "the session was lost".to_owned(),
    }
}
