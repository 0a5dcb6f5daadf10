//! A panic is in the log, with the requests that it has hit. In a process of its own: what is logged, and what is done
//! about a panic, is set once in each.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use env_logger::Target;
use flash_sale_services::log_context::LogContext;
use flash_sale_services::{IdempotencyKey, PaymentProvider, ServiceError, Strategy, StrategyService};
use flash_sale_testbed::testing::TestDatabase;
use flash_sale_web::logger;
use parking_lot::Mutex;
use sea_orm::{ConnectionTrait, DbBackend, Statement, TryGetable};
use tokio::time::timeout;
use uuid::Uuid;

/// No client can make a batch panic. Here its answers can't be written.
#[tokio::test]
async fn a_batch_that_panics_is_in_the_log_its_buyers_have_no_order_and_the_next_buyer_is_served() {
    let log = Log::default();
    logger::start("info", "replica-7", Target::Pipe(Box::new(log.clone()))).unwrap();
    let database = TestDatabase::create().await;
    let book: Uuid = one(&database, "SELECT id FROM products").await;
    let payment = PaymentProvider::new(Duration::ZERO);
    let shop =
        StrategyService::new(database.connection.clone(), payment, "replica-7", Duration::from_secs(5));
    let key = IdempotencyKey::new("click-1".to_owned()).unwrap();
    let context = LogContext::of_request("request-1");

    let purchase = shop.sell_once(key, Some(Strategy::Batched), book, |_| panic!("no paper in the till"));
    let told = context.follow(purchase).await;

    assert!(matches!(told, Err(ServiceError::Interrupted)), "{told:?}");
    let lines = log.text();
    assert!(lines.contains(" ERROR] panicked at crates/web/tests/log.rs:"), "{lines}");
    let end = format!("no paper in the till (replica-7, request request-1, product {book})\n");
    assert!(lines.contains(&end), "{lines}");
    let next = timeout(Duration::from_secs(10), shop.sell(Strategy::Batched, book)).await;
    assert!(matches!(next, Ok(Ok(_))), "{next:?}");
    assert_eq!(one::<i64>(&database, "SELECT count(*) FROM orders").await, 1);
    assert_eq!(one::<i32>(&database, "SELECT quantity FROM products").await, 0);
}

async fn one<T: TryGetable>(database: &TestDatabase, sql: &str) -> T {
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    database.connection.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

/// What was logged so far. Clones share it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
