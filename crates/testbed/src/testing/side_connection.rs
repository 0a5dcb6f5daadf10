//! A second session on a test's database: it holds a lock as another buyer would, and sees who
//! waits for the lock.

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use uuid::Uuid;

/// Two sessions on a test's database: one that acts, and one that watches. All methods panic when a
/// statement fails.
pub struct SideConnection {
    acting: DatabaseConnection,
    // It is a session of its own: within a transaction, PostgreSQL reads pg_stat_activity once, and
    // what it says never changes.
    watching: DatabaseConnection,
}

impl SideConnection {
    /// Opens the sessions.
    pub async fn open(url: &str) -> Self {
        Self { acting: one_session(url).await, watching: one_session(url).await }
    }

    /// Begins a transaction in the acting session.
    pub async fn begin(&self) {
        self.execute("BEGIN").await;
    }

    /// Locks the product's row until the transaction ends (`SELECT … FOR UPDATE`).
    pub async fn lock_product(&self, id: Uuid) {
        self.execute(&format!("SELECT FROM products WHERE id = '{id}' FOR UPDATE")).await;
    }

    /// Runs any SQL in the acting session.
    pub async fn execute(&self, sql: &str) {
        if let Err(error) = self.acting.execute_unprepared(sql).await {
            panic!("{sql}: {error}");
        }
    }

    /// Commits the transaction.
    pub async fn commit(&self) {
        self.execute("COMMIT").await;
    }

    /// Rolls the transaction back.
    pub async fn rollback(&self) {
        self.execute("ROLLBACK").await;
    }

    /// The statements in this database that wait for a lock just now.
    pub async fn waiting_statements(&self) -> Vec<String> {
        let sql = "SELECT query FROM pg_stat_activity
                   WHERE wait_event_type = 'Lock' AND datname = current_database()";
        let rows = self.watching.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
        let rows = rows.expect("pg_stat_activity can be read");
        rows.iter().map(|row| row.try_get_by_index(0).expect("query is text")).collect()
    }

    /// How many other sessions on this database are in a transaction or run a statement.
    pub async fn open_transactions(&self) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()";
        let row = self.watching.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
        let row = row.expect("pg_stat_activity can be read").expect("count has one row");
        row.try_get_by_index(0).expect("count is a number")
    }
}

/// A pool of exactly one connection: each statement runs in the same session.
async fn one_session(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.min_connections(1).max_connections(1).sqlx_logging(false).set_application_name("side connection");
    Database::connect(options).await.expect("the test's database answers")
}
