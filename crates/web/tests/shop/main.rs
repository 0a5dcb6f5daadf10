//! The shop over HTTP: real replicas, real PostgreSQL. Each file has the tests of one subject; the harness
//! below starts replicas and asks them.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod answers;
mod api;
mod checkout;
mod client_left;
mod conservation;
mod healthcheck;
mod idempotency;
mod known_host;
mod log_lines;
mod nginx;
mod nothing_lost;
mod openapi;
mod outage_reason;
mod outcome;
mod overload;
mod page;
mod race;
mod raw_http;
mod routes;
mod security;
mod settings;
mod shared_reads;
mod shutdown;
mod strategies;
mod unavailable;
mod unread_log;

use std::path::Path;

use flash_sale_testbed::testing::{Replica, ReplicaSettings, SideConnection, TestDatabase, wait_until};
use flash_sale_wiretap::line::Line;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use sea_orm::{ConnectionTrait, DbBackend, Statement, TryGetable};
use serde_json::{Value, json};
use uuid::Uuid;

/// The program under test, as cargo has just built it.
const SHOP: &str = env!("CARGO_BIN_EXE_flash-sale-web");

/// A database with one book, and replicas on it.
struct Shop {
    database: TestDatabase,
    replicas: Vec<Replica>,
    http: Client,
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Shop {
    /// One replica with the shop's own settings, but no race window: these tests are not about it.
    async fn open() -> Self {
        Self::open_with(1, |settings| settings.race_window_ms = 0).await
    }

    /// `count` replicas whose settings `adapt` may change.
    async fn open_with(count: usize, adapt: impl Fn(&mut ReplicaSettings)) -> Self {
        Self::on(TestDatabase::create().await, count, adapt).await
    }

    /// The same, on this database.
    async fn on(database: TestDatabase, count: usize, adapt: impl Fn(&mut ReplicaSettings)) -> Self {
        let mut replicas = Vec::new();
        for number in 1..=count {
            let mut settings = ReplicaSettings::new(&database.shop_url);
            settings.name = format!("replica-{number}");
            adapt(&mut settings);
            replicas.push(Replica::start(Path::new(SHOP), settings).await);
        }
        Self { database, replicas, http: new_client() }
    }

    /// One replica whose way to the database is a line. Its settings are returned too: a test may start it again.
    async fn on_a_line(adapt: impl Fn(&mut ReplicaSettings)) -> (Self, Line, ReplicaSettings) {
        let database = TestDatabase::create().await;
        let (line, url) = Line::to(&database.shop_url).unwrap();
        let mut settings = ReplicaSettings::new(&url);
        settings.race_window_ms = 0;
        settings.variables = vec![("RUST_LOG".to_owned(), "info,flash_sale_web::old_keys=debug".to_owned())];
        adapt(&mut settings);
        let shop = Self::on(database, 1, |replica| *replica = settings.clone()).await;
        shop.waits_for_buyers().await;
        (shop, line, settings)
    }

    /// Returns when the first replica has done what it does at its start.
    async fn waits_for_buyers(&self) {
        let log = || self.replicas[0].log();
        wait_until("old keys are deleted", async || log().contains("idempotency keys were deleted")).await;
    }

    /// Requests that need no database, one after the other: those that were sent before are under way by then.
    async fn everybody_has_come(&self) {
        for _ in 0..50 {
            assert_eq!(self.get("/api/strategies").await.status, 200);
        }
    }

    /// A request to the first replica.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.replicas[0].url))
    }

    async fn get(&self, path: &str) -> Answer {
        read(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str) -> Answer {
        read(self.request(Method::POST, path)).await
    }

    /// Buys one copy of the book on the replica with this index.
    fn buy_on(&self, replica: usize, product_id: Uuid) -> impl Future<Output = Answer> + Send + 'static {
        let url = format!("{}/api/orders", self.replicas[replica].url);
        read(self.http.post(url).json(&json!({ "product_id": product_id })))
    }

    /// The book's id.
    async fn book(&self) -> Uuid {
        self.one("SELECT id FROM products").await
    }

    /// Copies in stock.
    async fn stock(&self) -> i32 {
        self.one("SELECT quantity FROM products").await
    }

    /// Orders in the table.
    async fn order_count(&self) -> i64 {
        self.one("SELECT count(*) FROM orders").await
    }

    /// The first value of the first row.
    async fn one<T: TryGetable>(&self, sql: &str) -> T {
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        let row = self.database.connection.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    /// Whether a session of the first replica is in a transaction, or runs anything.
    async fn works_in_the_database(&self) -> bool {
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE application_name = 'replica-1' AND datname = current_database() AND state <> 'idle'";
        self.one::<i64>(sql).await > 0
    }

    async fn execute(&self, sql: &str) {
        self.database.connection.execute_unprepared(sql).await.unwrap();
    }

    async fn side_connection(&self) -> SideConnection {
        SideConnection::open(&self.database.url).await
    }
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    #[track_caller]
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers));
        value.to_str().unwrap()
    }

    /// Asserts a problem document with this status and detail.
    #[track_caller]
    fn assert_problem(&self, status: u16, detail: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["title"], self.status.canonical_reason().unwrap());
        assert_eq!(problem["detail"], detail);
    }
}

/// Follows no redirect: the tests look at them.
fn new_client() -> Client {
    Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

async fn read(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.text().await.unwrap(),
    }
}
