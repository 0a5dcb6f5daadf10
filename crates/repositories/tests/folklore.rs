//! Things that are often said of locks and constraints, tried on the shop's own tables. DETONADO.md's section "In
//! production" shows the same by hand. To watch the statements go by:
//! `cargo test --workspace --test folklore -- --nocapture --test-threads=1`

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use flash_sale_core::database_error::{DatabaseErrorKind, kind};
use flash_sale_testbed::testing::{SideConnection, TestDatabase, wait_until};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement};

const ORDER: &str = "INSERT INTO orders (product_id, served_by) SELECT id, 'me' FROM products";
const DECREMENT: &str = "UPDATE products SET quantity = quantity - 1";

/// A session that shows what it does.
#[derive(Clone)]
struct Session {
    name: &'static str,
    connection: DatabaseConnection,
}

impl Session {
    async fn open(name: &'static str, database: &TestDatabase) -> Self {
        let mut options = ConnectOptions::new(&database.url);
        options.min_connections(1).max_connections(1).sqlx_logging(false);
        Self { name, connection: Database::connect(options).await.unwrap() }
    }

    /// Rows affected, or the error.
    async fn run(&self, sql: &str) -> Result<u64, DbErr> {
        let result = self.connection.execute_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
        match &result {
            Ok(done) => println!("{}> {sql};   -- {} rows", self.name, done.rows_affected()),
            Err(error) => println!("{}> {sql};\n   {error}", self.name),
        }
        result.map(|done| done.rows_affected())
    }

    async fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        let statement = Statement::from_string(DbBackend::Postgres, &sql);
        let row = self.connection.query_one_raw(statement).await.unwrap().unwrap();
        let count = row.try_get_by_index(0).unwrap();
        println!("{}> {sql};   -- {count}", self.name);
        count
    }
}

/// It is said: with a CHECK constraint the stock is right, but the second order remains.
#[tokio::test]
async fn a_refused_decrement_takes_the_order_of_its_transaction_with_it() {
    let database = TestDatabase::create().await;
    let me = Session::open("me", &database).await;
    me.run("ALTER TABLE products ADD CONSTRAINT stock_not_negative CHECK (quantity >= 0)").await.unwrap();
    me.run("UPDATE products SET quantity = 0").await.unwrap();

    me.run("BEGIN").await.unwrap();
    me.run(ORDER).await.unwrap();
    let refused = me.run(DECREMENT).await.unwrap_err();
    me.run("COMMIT").await.expect("COMMIT itself succeeds, as a rollback");

    assert_eq!(kind(&refused), DatabaseErrorKind::CheckViolation);
    assert_eq!(me.count("orders").await, 0);

    // Without a transaction around both, what is said is true.
    me.run(ORDER).await.unwrap();
    me.run(DECREMENT).await.unwrap_err();
    assert_eq!(me.count("orders").await, 1);
}

/// It is said: FOR UPDATE makes only those wait who lock or change the row.
#[tokio::test]
async fn for_update_makes_the_insert_of_an_order_wait_and_for_no_key_update_does_not() {
    let database = TestDatabase::create().await;
    let (holder, other) = (Session::open("holder", &database).await, Session::open("other", &database).await);
    other.run("SET lock_timeout = '100ms'").await.unwrap();

    holder.run("BEGIN").await.unwrap();
    holder.run("SELECT quantity FROM products FOR UPDATE").await.unwrap();
    let waited = other.run(ORDER).await.unwrap_err();
    holder.run("ROLLBACK").await.unwrap();

    assert_eq!(kind(&waited), DatabaseErrorKind::LockNotAvailable);

    for lock in ["SELECT quantity FROM products FOR NO KEY UPDATE", DECREMENT] {
        holder.run("BEGIN").await.unwrap();
        holder.run(lock).await.unwrap();
        assert_eq!(other.run(ORDER).await.unwrap(), 1, "under {lock}");
        holder.run("ROLLBACK").await.unwrap();
    }
}

/// It is said: it does not matter where in the transaction the lock is taken.
#[tokio::test]
async fn two_who_insert_their_order_before_they_lock_deadlock() {
    let database = TestDatabase::create().await;
    let (first, second) = (Session::open("first", &database).await, Session::open("second", &database).await);
    let watcher = SideConnection::open(&database.url).await;
    for session in [&first, &second] {
        session.run("BEGIN").await.unwrap();
        session.run(ORDER).await.unwrap();
    }

    let waiting = {
        let first = first.clone();
        tokio::spawn(async move { first.run("SELECT quantity FROM products FOR UPDATE").await })
    };
    wait_until("the first waits", async || watcher.waiting_statements().await.len() == 1).await;
    let second_result = second.run("SELECT quantity FROM products FOR UPDATE").await;

    // PostgreSQL ends one of them, whichever notices first. The other may only wait until that one is gone.
    second.run("ROLLBACK").await.unwrap();
    let results = [waiting.await.unwrap(), second_result];
    let deadlocks = results.iter().filter_map(|result| result.as_ref().err()).map(kind);
    assert_eq!(deadlocks.collect::<Vec<_>>(), [DatabaseErrorKind::DeadlockDetected]);

    // The other way round, the second only queues.
    first.run("ROLLBACK").await.unwrap();
    first.run("BEGIN").await.unwrap();
    first.run("SELECT quantity FROM products FOR UPDATE").await.unwrap();
    let queueing = tokio::spawn(async move {
        for sql in ["BEGIN", "SELECT quantity FROM products FOR UPDATE", ORDER, "COMMIT"] {
            second.run(sql).await.unwrap();
        }
    });
    wait_until("the second waits", async || watcher.waiting_statements().await.len() == 1).await;
    first.run(ORDER).await.unwrap();
    first.run("COMMIT").await.unwrap();
    queueing.await.unwrap();
    assert_eq!(first.count("orders").await, 2);
}

/// It is said: a transaction keeps others from changing what it has read.
#[tokio::test]
async fn a_transaction_alone_does_not_keep_what_it_has_read() {
    let database = TestDatabase::create().await;
    let (reader, other) = (Session::open("reader", &database).await, Session::open("other", &database).await);

    reader.run("BEGIN").await.unwrap();
    assert_eq!(reader.run("SELECT FROM products WHERE quantity = 1").await.unwrap(), 1);
    other.run(DECREMENT).await.unwrap();

    assert_eq!(reader.run("SELECT FROM products WHERE quantity = 1").await.unwrap(), 0);
    reader.run(DECREMENT).await.expect("nothing refuses it");
    reader.run("COMMIT").await.unwrap();
}
