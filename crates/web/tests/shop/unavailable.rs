//! The database is away or too busy: 503 with `Retry-After`, within the limit, and nothing is changed later.

use std::time::{Duration, Instant};

use flash_sale_testbed::testing::{ReplicaSettings, SideConnection, TestDatabase, wait_until};
use futures::future::join_all;

use crate::{Answer, Shop};

const DETAIL: &str = "The database is away or too busy. Try again";

#[tokio::test]
async fn a_replica_without_its_database_lives_and_says_that_it_can_not_sell() {
    let shop = Shop::open_with(1, |settings| {
        settings.database_url = "postgres://nobody:hunter2@127.0.0.1:1/nothing".to_owned();
    })
    .await;

    let begun = Instant::now();
    assert_eq!(shop.get("/health").await.status, 200);
    assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());

    let begun = Instant::now();
    let ready = shop.get("/ready").await;
    ready.assert_problem(503, "The database does not answer");
    assert_eq!(ready.header("retry-after"), "1");
    assert!(begun.elapsed() < Duration::from_millis(1200), "{:?}", begun.elapsed());

    assert_unavailable(&shop.get("/api/products").await);
    assert_unavailable(&shop.buy_on(0, uuid::Uuid::nil()).await);
    wait_until("it says why", async || shop.replicas[0].log().contains("Connection refused")).await;
    assert!(!shop.replicas[0].log().contains("hunter2"));
}

#[tokio::test]
async fn a_purchase_that_waits_too_long_for_a_lock_is_503_and_never_happens() {
    let shop = Shop::open().await;
    let book = shop.book().await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(book).await;

    assert_unavailable(&shop.buy_on(0, book).await);
    side.commit().await;

    wait_until("nothing of it is left", async || !shop.works_in_the_database().await).await;
    assert_eq!((shop.order_count().await, shop.stock().await), (0, 1));
}

#[tokio::test]
async fn a_request_that_gets_no_connection_is_503_while_health_answers_at_once() {
    let shop = Shop::open_with(1, |settings| {
        settings.race_window_ms = 0;
        settings.database_pool_size = 1;
    })
    .await;
    let book = shop.book().await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(book).await;
    let holder = tokio::spawn(shop.buy_on(0, book));
    wait_until("the only connection waits", async || side.waiting_statements().await.len() == 1).await;
    let waiter = tokio::spawn(shop.buy_on(0, book));

    let begun = Instant::now();
    assert_eq!(shop.get("/health").await.status, 200);
    assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());

    assert_unavailable(&holder.await.unwrap());
    let waiter = waiter.await.unwrap();
    assert!(waiter.status == 503 || waiter.status == 200, "{}", waiter.body);
}

#[tokio::test]
async fn connections_that_the_server_has_ended_are_replaced_without_an_error() {
    let shop = Shop::open().await;
    assert_eq!(shop.get("/api/products").await.status, 200);
    // Idle for more than a second: from then on a connection is tested before it is used.
    let idle = "SELECT count(*) FROM pg_stat_activity
                WHERE application_name = 'replica-1' AND datname = current_database() AND state_change < clock_timestamp() - interval '1.1 s'";
    wait_until("the connection has been idle", async || shop.one::<i64>(idle).await >= 1).await;

    let end = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = 'replica-1' AND datname = current_database()";
    assert!(shop.one::<i64>(end).await >= 1);

    assert_eq!(shop.get("/api/products").await.status, 200);
}

/// All that a session can meet, from being ended to not getting in: as a restart, but for one database.
#[tokio::test]
async fn an_outage_is_503_is_said_once_and_ends_by_itself() {
    // What it logs by default.
    let shop = Shop::open_with(1, |settings| {
        settings.variables.push(("RUST_LOG".to_owned(), String::new()));
    })
    .await;
    let door = Door::of(&shop.database).await;
    all_kept_connections_are_open(&shop).await;
    assert_eq!(shop.buy_on(0, shop.book().await).await.status, 200);

    door.close().await;
    for answer in join_all((0..50).map(|_| shop.get("/api/orders"))).await {
        assert_unavailable(&answer);
    }
    assert_eq!(shop.get("/ready").await.status, 503);
    assert_eq!(shop.get("/health").await.status, 200);
    door.open().await;
    let back = Instant::now();
    wait_until("it answers again", async || shop.get("/api/orders").await.status == 200).await;
    assert!(back.elapsed() < Duration::from_secs(1), "{:?}", back.elapsed());
    assert_eq!(shop.get("/ready").await.status, 200);

    wait_until("it says that it is over", async || shop.replicas[0].log().contains("is well again")).await;
    let log = shop.replicas[0].log();
    let lines = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(lines("can't be used"), 1, "{log}");
    assert_eq!(lines("is well again"), 1, "{log}");
    assert_eq!(lines(" WARN ") + lines(" ERROR "), 1, "{log}");
}

#[tokio::test]
async fn a_replica_that_starts_before_its_database_says_that_it_waits() {
    let database = TestDatabase::create().await;
    let door = Door::of(&database).await;
    door.close().await;

    let shop = Shop::on(database, 1, |_| {}).await;

    let log = || shop.replicas[0].log();
    wait_until("it says why", async || log().contains("is not currently accepting connections")).await;
    assert_eq!(shop.get("/ready").await.status, 503);
    door.open().await;
    wait_until("it says that it is over", async || log().contains("is well again")).await;
    assert_eq!(shop.get("/ready").await.status, 200);
}

#[tokio::test]
async fn a_server_that_only_reads_sells_nothing_and_is_no_fault_of_the_shop() {
    let shop = Shop::open().await;
    let book = shop.book().await;
    let door = Door::of(&shop.database).await;
    all_kept_connections_are_open(&shop).await;
    door.side.execute(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", door.name)).await;
    door.end_sessions().await;

    wait_until("it reads", async || shop.get("/api/products").await.status == 200).await;
    assert_unavailable(&shop.buy_on(0, book).await);
    assert_unavailable(&shop.post("/api/reset").await);
    assert_eq!((shop.order_count().await, shop.stock().await), (0, 1));
}

#[tokio::test]
async fn a_server_without_a_connection_left_is_an_outage_that_ends_by_itself() {
    let shop = Shop::open().await;
    let door = Door::of(&shop.database).await;
    all_kept_connections_are_open(&shop).await;
    let limit = |count: i32| format!("ALTER DATABASE {} CONNECTION LIMIT {count}", door.name);
    // Superusers, as our own sessions are, get in all the same.
    door.side.execute(&limit(0)).await;
    door.end_sessions().await;

    for answer in join_all((0..20).map(|_| shop.get("/api/orders"))).await {
        assert_unavailable(&answer);
    }
    door.side.execute(&limit(-1)).await;
    let back = Instant::now();
    wait_until("it answers again", async || shop.get("/api/orders").await.status == 200).await;
    assert!(back.elapsed() < Duration::from_secs(1), "{:?}", back.elapsed());
}

#[tokio::test]
async fn a_database_without_the_schema_is_an_outage() {
    let shop = Shop::on(TestDatabase::create_empty().await, 1, |_| {}).await;

    for path in ["/", "/api/products", "/api/orders"] {
        assert_unavailable(&shop.get(path).await);
    }
    assert_unavailable(&shop.post("/api/reset").await);
}

/// Otherwise one that is just being opened could slip in while all others are ended.
async fn all_kept_connections_are_open(shop: &Shop) {
    let open = "SELECT count(*) FROM pg_stat_activity
                WHERE application_name = 'replica-1' AND datname = current_database()";
    // One that is still being opened could get in after the others were ended.
    let kept = i64::from(ReplicaSettings::new("").database_pool_size);
    wait_until("all connections are open", async || shop.one::<i64>(open).await >= kept).await;
}

/// Lets sessions into one database of the server, or not.
struct Door {
    name: String,
    side: SideConnection,
}

impl Door {
    async fn of(database: &TestDatabase) -> Self {
        let (server, end) = database.url.rsplit_once('/').unwrap();
        let (name, options) = end.split_once('?').unwrap();
        let side = SideConnection::open(&format!("{server}/postgres?{options}")).await;
        Self { name: name.to_owned(), side }
    }

    async fn close(&self) {
        self.side.execute(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", self.name)).await;
        self.end_sessions().await;
    }

    async fn open(&self) {
        self.side.execute(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name)).await;
    }

    async fn end_sessions(&self) {
        let sql = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity";
        let sql = format!("{sql} WHERE application_name = 'replica-1' AND datname = '{}'", self.name);
        self.side.execute(&sql).await;
    }
}

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    answer.assert_problem(503, DETAIL);
    assert_eq!(answer.header("retry-after"), "1");
}
