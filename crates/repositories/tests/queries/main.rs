//! Each query on real rows. What a query locks is seen from a second session. Here are the queries of products and
//! orders; [`stock`] has those of the strategies, [`holds`] those of `reservation`, [`buckets`] those of
//! `stock_buckets`, and [`keys`] those of `Idempotency-Key`.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod buckets;
mod holds;
mod keys;
mod stock;

use flash_sale_core::database::{DatabaseSettings, connect};
use flash_sale_repositories::{
    BucketCount, BucketRepository, HeldStock, HoldRepository, IdempotencyKeyRepository, IdempotencyRecord,
    NewHold, OrderRepository, ProductRepository, StockInRows, StockRepository, UnitRepository,
};
use flash_sale_testbed::testing::{SideConnection, TestDatabase, wait_until};
use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};
use uuid::Uuid;

#[tokio::test]
async fn a_plain_read_locks_nothing_and_waits_for_nobody() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let side = SideConnection::open(&database.url).await;
    side.begin().await;
    side.lock_product(id).await;
    let transaction = database.connection.begin().await.unwrap();

    let product = ProductRepository::new(&transaction).get_by_id(id).await.unwrap();

    assert_eq!(product.unwrap().quantity, 1);
    side.commit().await;
    side.begin().await;
    // Would wait, if the read above had locked the row: its transaction is still open.
    side.execute(&format!("SELECT FROM products WHERE id = '{id}' FOR UPDATE NOWAIT")).await;
}

#[tokio::test]
async fn a_locking_read_makes_the_next_one_wait_and_then_see_the_change() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let side = SideConnection::open(&database.url).await;
    side.begin().await;
    side.lock_product(id).await;
    let second = connect_again(&database).await;
    let read = tokio::spawn(async move {
        let transaction = second.begin().await.unwrap();
        ProductRepository::new(&transaction).get_by_id_for_update(id).await.unwrap()
    });

    wait_until("the second read waits", async || side.waiting_statements().await.len() == 1).await;
    assert!(side.waiting_statements().await[0].ends_with("FOR UPDATE"));
    side.execute("UPDATE products SET quantity = 0").await;
    side.commit().await;

    assert_eq!(read.await.unwrap().unwrap().quantity, 0);
}

#[tokio::test]
async fn a_locking_read_holds_the_row_until_its_transaction_ends() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let side = SideConnection::open(&database.url).await;
    let transaction = database.connection.begin().await.unwrap();
    ProductRepository::new(&transaction).get_by_id_for_update(id).await.unwrap();
    let waiter = tokio::spawn(async move {
        side.begin().await;
        side.lock_product(id).await;
        side
    });
    let watcher = SideConnection::open(&database.url).await;

    wait_until("the side waits", async || watcher.waiting_statements().await.len() == 1).await;
    transaction.commit().await.unwrap();

    waiter.await.unwrap().rollback().await;
}

#[tokio::test]
async fn the_read_of_a_purchase_returns_the_product_or_none() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let transaction = database.connection.begin().await.unwrap();
    let products = ProductRepository::new(&transaction);

    assert_eq!(products.get_for_purchase(id).await.unwrap().unwrap().id, id);
    assert_eq!(products.get_for_purchase(Uuid::nil()).await.unwrap(), None);
    assert_eq!(products.get_by_id(Uuid::nil()).await.unwrap(), None);
    assert_eq!(products.get_by_id_for_update(Uuid::nil()).await.unwrap(), None);
}

#[tokio::test]
async fn a_decrement_takes_from_the_stock_that_is_there_not_from_one_read_before() {
    let database = TestDatabase::create().await;
    let products = ProductRepository::new(&database.connection);
    let id = book(&database.connection).await;
    products.set_quantity(id, 10).await.unwrap();

    products.decrement_quantity(id).await.unwrap();
    products.decrement_quantity(id).await.unwrap();

    assert_eq!(products.get_by_id(id).await.unwrap().unwrap().quantity, 8);
}

#[tokio::test]
async fn the_featured_product_is_the_oldest() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let later = "INSERT INTO products (title, author, year, price, quantity) VALUES ('Later', 'x', 1, 1, 1)";
    database.connection.execute_unprepared(later).await.unwrap();

    assert_eq!(ProductRepository::new(&database.connection).get_featured().await.unwrap().unwrap().id, id);

    database.connection.execute_unprepared("DELETE FROM products").await.unwrap();
    assert_eq!(ProductRepository::new(&database.connection).get_featured().await.unwrap(), None);
}

#[tokio::test]
async fn an_order_gets_its_id_and_time_from_the_database() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let transaction = database.connection.begin().await.unwrap();
    let orders = OrderRepository::new(&transaction);

    let first = orders.create(id, "replica-1").await.unwrap();
    let second = orders.create(id, "replica-2").await.unwrap();

    assert!(first.created_at < second.created_at, "also within one transaction, whose now() stands still");
    assert_eq!((second.product_id, second.served_by.as_str()), (id, "replica-2"));
    assert_eq!(orders.get_by_id(first.id).await.unwrap(), Some(first));
}

#[tokio::test]
async fn orders_are_counted_listed_and_deleted_by_product() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let other = "INSERT INTO products (title, author, year, price, quantity) VALUES ('Other', 'x', 1, 1, 1)
                 RETURNING id";
    let other = database.connection.query_one_raw(statement(other)).await.unwrap().unwrap();
    let other: Uuid = other.try_get_by_index(0).unwrap();
    let orders = OrderRepository::new(&database.connection);
    let first = orders.create(id, "replica-1").await.unwrap();
    let second = orders.create(id, "replica-1").await.unwrap();
    let foreign = orders.create(other, "replica-1").await.unwrap();

    assert_eq!(orders.get_newest_of_product(id, 10).await.unwrap(), [second.clone(), first.clone()]);
    assert_eq!(orders.get_newest(2).await.unwrap(), [foreign.clone(), second.clone()]);
    assert_eq!(orders.get_older_than(&foreign, 10).await.unwrap(), [second, first]);
    assert_eq!(orders.count_of_product(id).await.unwrap(), 2);
    assert_eq!(orders.delete_of_product_with_keys(id).await.unwrap(), 2);
    assert_eq!(orders.get_newest(10).await.unwrap(), [foreign]);
}

async fn book(connection: &DatabaseConnection) -> Uuid {
    ProductRepository::new(connection).get_featured().await.unwrap().unwrap().id
}

async fn connect_again(database: &TestDatabase) -> DatabaseConnection {
    let settings =
        DatabaseSettings { url: database.url.clone(), application_name: "second".to_owned(), pool_size: 1 };
    connect(&settings).await.unwrap()
}

fn statement(sql: &str) -> sea_orm::Statement {
    sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, sql)
}
