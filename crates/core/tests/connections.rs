//! What the next user of a connection finds, whatever the one before has done to it.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::time::{Duration, Instant};

use flash_sale_core::database::{DatabaseSettings, connect};
use flash_sale_testbed::testing::{TestDatabase, wait_until};
use flash_sale_wiretap::line::{At, Line, Which};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, IsolationLevel, Statement, TransactionTrait};
use tokio::time::timeout;

/// The settings that a connection is opened with.
const SETTINGS: &str = "SELECT current_setting('lock_timeout') = '3s'
                        AND current_setting('transaction_isolation') = 'read committed'
                        AND current_setting('application_name') = 'pool of one'";
/// From another session: what the connection holds while nobody uses it.
const HOLDS_NOTHING: &str = "SELECT bool_and(xact_start IS NULL AND NOT EXISTS (SELECT FROM pg_locks WHERE pg_locks.pid = activity.pid))
                             FROM pg_stat_activity AS activity
                             WHERE application_name = 'pool of one' AND datname = current_database()";

#[tokio::test]
async fn the_next_user_finds_nothing_of_the_one_before() {
    let database = TestDatabase::create().await;
    let pool = pool_of_one(&database.url).await;
    for left in [
        "BEGIN",
        "BEGIN; SAVEPOINT one",
        "BEGIN ISOLATION LEVEL SERIALIZABLE; UPDATE products SET quantity = 7",
        "SET lock_timeout = 0; BEGIN; SET LOCAL application_name = 'somebody'",
        "SET lock_timeout = 0",
        "SET application_name = 'somebody'",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SELECT pg_advisory_lock(1), pg_advisory_lock(1)",
    ] {
        pool.execute_unprepared(left).await.unwrap();
        assert!(is_clean(&database, &pool).await, "{left}");
    }
    assert_eq!(backends(&database.connection).await, 1, "none of this costs the connection");
    assert!(one::<bool>(&pool, "SELECT quantity = 1 FROM products").await, "what was open is taken back");
}

#[tokio::test]
async fn a_transaction_that_has_failed_is_not_handed_on() {
    let database = TestDatabase::create().await;
    let pool = pool_of_one(&database.url).await;

    assert!(pool.execute_unprepared("BEGIN; SELECT 1 / 0").await.is_err());

    assert!(is_clean(&database, &pool).await);
}

/// sqlx notes a BEGIN only when it is answered.
#[tokio::test]
async fn a_begin_that_nobody_waits_for_is_taken_back() {
    for at in [At::Request, At::Answer] {
        for isolation in [None, Some(IsolationLevel::Serializable)] {
            let database = TestDatabase::create().await;
            let (line, url) = Line::to(&database.url).unwrap();
            let pool = pool_of_one(&url).await;
            let mut hold = line.hold(Which::Saying("BEGIN"), at);

            tokio::select! {
                _ = pool.begin_with_config(isolation, None) => panic!("it is held"),
                _ = hold.reached() => {}
            }
            hold.pass();

            assert!(is_clean(&database, &pool).await, "{at:?} {isolation:?}");
        }
    }
}

/// A network that swallows everything: without a limit, the pool would never have the connection's place again.
#[tokio::test]
async fn a_connection_that_does_not_answer_gives_its_place_to_another_one() {
    let database = TestDatabase::create().await;
    let (line, url) = Line::to(&database.url).unwrap();
    let pool = pool_of_one(&url).await;
    assert!(is_clean(&database, &pool).await);
    let mut hold = line.hold(Which::Saying("SELECT 1"), At::Answer);

    tokio::select! {
        _ = pool.execute_unprepared("SELECT 1") => panic!("it is held"),
        _ = hold.reached() => {}
    }

    wait_until("it is closed, and another one opened", async || {
        timeout(Duration::from_secs(1), pool.ping()).await.is_ok_and(|ping| ping.is_ok())
    })
    .await;
}

#[tokio::test]
async fn what_the_server_takes_as_a_default_changes_nothing() {
    let database = TestDatabase::create().await;
    let name = one::<String>(&database.connection, "SELECT current_database()::text").await;
    for scope in [format!("DATABASE {name}"), format!("ROLE CURRENT_USER IN DATABASE {name}")] {
        for setting in ["default_transaction_isolation = 'serializable'", "lock_timeout = 0"] {
            let set = format!("ALTER {scope} SET {setting}");
            database.connection.execute_unprepared(&set).await.unwrap();
        }
    }

    let pool = pool_of_one(&database.url).await;

    assert!(is_clean(&database, &pool).await);
    assert!(is_clean(&database, &pool).await, "also when it is given back");
}

/// What the next user finds, and what the connection holds while there is none. What was left open would be ended by
/// PostgreSQL itself, but not so soon.
async fn is_clean(database: &TestDatabase, pool: &DatabaseConnection) -> bool {
    let has_settings = one(pool, SETTINGS).await;
    let soon = Instant::now() + Duration::from_secs(1);
    while !one::<bool>(&database.connection, HOLDS_NOTHING).await {
        if Instant::now() > soon {
            return false;
        }
    }
    has_settings
}

async fn backends(pool: &DatabaseConnection) -> i64 {
    let of_pool = "SELECT count(*) FROM pg_stat_activity
                   WHERE application_name = 'pool of one' AND datname = current_database()";
    one(pool, of_pool).await
}

async fn one<T: sea_orm::TryGetable>(connection: &DatabaseConnection, sql: &str) -> T {
    let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
    row.unwrap().unwrap().try_get_by_index(0).unwrap()
}

async fn pool_of_one(url: &str) -> DatabaseConnection {
    let application_name = "pool of one".to_owned();
    connect(&DatabaseSettings { url: url.to_owned(), application_name, pool_size: 1 }).await.unwrap()
}
