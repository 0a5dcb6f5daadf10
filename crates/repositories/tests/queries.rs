//! Each query on real rows. What a query locks is seen from a second session.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use flash_sale_core::database::{DatabaseSettings, connect};
use flash_sale_repositories::{
    IdempotencyKeyRepository, IdempotencyRecord, OrderRepository, ProductRepository, StockRepository,
    UnitRepository,
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

#[tokio::test]
async fn the_keys_of_a_product_go_with_its_orders_but_for_expired_ones_which_nobody_waits_for() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let keys = IdempotencyKeyRepository::new(&database.connection);
    let record = |key: &str, request: String| IdempotencyRecord {
        key: key.to_owned(),
        request,
        status: 400,
        body: String::new(),
    };
    let foreign = record("foreign", Uuid::nil().to_string());
    let records = [record("old", id.to_string()), record("new", format!("{id} batched")), foreign.clone()];
    assert_eq!(keys.create(&records).await.unwrap(), 3);
    let age = "UPDATE idempotency_keys SET created_at = created_at - interval '24 hours' WHERE key = 'old'";
    database.connection.execute_unprepared(age).await.unwrap();
    let side = SideConnection::open(&database.url).await;
    side.begin().await;
    side.execute("SELECT FROM idempotency_keys WHERE key IN ('old', 'foreign') FOR UPDATE").await;

    // Would wait for the side connection if it touched another row.
    let deleted = OrderRepository::new(&database.connection).delete_of_product_with_keys(id).await.unwrap();

    assert_eq!(deleted, 0);
    side.commit().await;
    let wanted = ["old".to_owned(), "new".to_owned(), "foreign".to_owned()];
    assert_eq!(keys.get_current(&wanted).await.unwrap(), [foreign]);
    assert_eq!(keys.delete_expired().await.unwrap(), 1);
}

#[tokio::test]
async fn guarded_decrements_take_a_copy_only_when_their_condition_holds() {
    let database = TestDatabase::create().await;
    let stock = StockRepository::new(&database.connection);
    let id = book(&database.connection).await;

    assert!(!stock.take_copy_if_unchanged(id, 1).await.unwrap());
    assert!(stock.take_copy_if_unchanged(id, 0).await.unwrap());
    assert!(!stock.take_copy_if_unchanged(id, 0).await.unwrap(), "each change counts the version up");
    assert!(!stock.take_copy_if_in_stock(id).await.unwrap(), "there was one copy");
    assert_eq!(stock.sell_copy(id, "replica-1").await.unwrap(), None);
    stock.take_copy(id).await.unwrap();

    let product = ProductRepository::new(&database.connection).get_by_id(id).await.unwrap().unwrap();
    assert_eq!((product.quantity, product.version), (-1, 2));
    assert_eq!(OrderRepository::new(&database.connection).count_of_product(id).await.unwrap(), 0);
}

#[tokio::test]
async fn a_sale_in_one_statement_is_decrement_and_order() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;

    let sold = StockRepository::new(&database.connection).sell_copy(id, "replica-2").await.unwrap().unwrap();

    assert_eq!((sold.product_id, sold.served_by.as_str()), (id, "replica-2"));
    let stored = OrderRepository::new(&database.connection).get_by_id(sold.id).await.unwrap();
    assert_eq!(stored, Some(sold));
    let product = ProductRepository::new(&database.connection).get_by_id(id).await.unwrap().unwrap();
    assert_eq!((product.quantity, product.version), (0, 1));
}

#[tokio::test]
async fn a_batch_sells_to_the_first_as_many_as_there_are() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let stock = StockRepository::new(&database.connection);
    ProductRepository::new(&database.connection).set_quantity(id, 3).await.unwrap();
    let buyers: Vec<Uuid> = (0..5).map(|_| Uuid::new_v4()).collect();

    let mut sold = stock.sell_copies(id, &buyers, "replica-1").await.unwrap().unwrap();
    let nothing = stock.sell_copies(id, &[Uuid::new_v4()], "replica-1").await.unwrap();
    let unknown = stock.sell_copies(Uuid::nil(), &[Uuid::new_v4()], "replica-1").await.unwrap();

    sold.sort_by_key(|order| buyers.iter().position(|id| *id == order.id));
    let winners: Vec<Uuid> = sold.iter().map(|order| order.id).collect();
    assert_eq!(winners, buyers[..3]);
    assert_eq!((nothing, unknown), (Some(Vec::new()), None));
    let product = ProductRepository::new(&database.connection).get_by_id(id).await.unwrap().unwrap();
    assert_eq!((product.quantity, product.version), (0, 1));
}

#[tokio::test]
async fn a_unit_that_is_held_is_passed_by_and_still_counts_as_unsold() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let units = "INSERT INTO units (product_id) SELECT id FROM products, generate_series(1, 2)";
    database.connection.execute_unprepared(units).await.unwrap();
    let order = OrderRepository::new(&database.connection).create(id, "replica-1").await.unwrap();
    let first = database.connection.begin().await.unwrap();
    let second = database.connection.begin().await.unwrap();
    let third = database.connection.begin().await.unwrap();

    let unit = UnitRepository::new(&first).claim_unsold(id).await.unwrap().unwrap();
    let other = UnitRepository::new(&second).claim_unsold(id).await.unwrap().unwrap();
    assert_ne!(unit, other);
    assert_eq!(UnitRepository::new(&third).claim_unsold(id).await.unwrap(), None);
    UnitRepository::new(&first).set_order(unit, order.id).await.unwrap();
    first.commit().await.unwrap();

    let count = UnitRepository::new(&third).count_of_product(id).await.unwrap();
    assert_eq!((count.total, count.unsold), (2, 1));
}

#[tokio::test]
async fn a_key_is_reserved_by_one_transaction_at_a_time_and_nobody_waits() {
    let database = TestDatabase::create().await;
    let keys = ["one".to_owned(), "two".to_owned()];
    let first = database.connection.begin().await.unwrap();
    let second = database.connection.begin().await.unwrap();

    let reserved = IdempotencyKeyRepository::new(&first).try_reserve(&keys[..1]).await.unwrap();
    assert_eq!(reserved, keys[..1]);
    assert_eq!(IdempotencyKeyRepository::new(&second).try_reserve(&keys).await.unwrap(), keys[1..]);
    first.rollback().await.unwrap();
    assert_eq!(IdempotencyKeyRepository::new(&second).try_reserve(&keys[..1]).await.unwrap(), keys[..1]);
}

#[tokio::test]
async fn a_record_is_kept_for_24_hours_and_not_overwritten_before() {
    let database = TestDatabase::create().await;
    let keys = IdempotencyKeyRepository::new(&database.connection);
    let record = |key: &str, body: &str| IdempotencyRecord {
        key: key.to_owned(),
        request: Uuid::nil().to_string(),
        status: 200,
        body: body.to_owned(),
    };
    let wanted = ["old".to_owned(), "new".to_owned()];
    assert_eq!(keys.create(&[record("old", "1"), record("new", "1")]).await.unwrap(), 2);
    let age = "UPDATE idempotency_keys SET created_at = created_at - interval '24 hours' WHERE key = 'old'";
    database.connection.execute_unprepared(age).await.unwrap();

    assert_eq!(keys.get_current(&wanted).await.unwrap(), [record("new", "1")]);
    assert_eq!(keys.create(&[record("old", "2"), record("new", "2")]).await.unwrap(), 1);
    let mut current = keys.get_current(&wanted).await.unwrap();
    current.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(current, [record("new", "1"), record("old", "2")]);

    database.connection.execute_unprepared(age).await.unwrap();
    assert_eq!(keys.delete_expired().await.unwrap(), 1);
    assert_eq!(keys.get_current(&wanted).await.unwrap(), [record("new", "1")]);
}

#[tokio::test]
async fn the_oldest_refusals_are_deleted_and_nothing_that_was_sold_and_nobody_is_waited_for() {
    let database = TestDatabase::create().await;
    let (side, keys) =
        (SideConnection::open(&database.url).await, IdempotencyKeyRepository::new(&database.connection));
    let records = "INSERT INTO idempotency_keys (key, request, status, body, created_at)
         SELECT n, '00000000-0000-0000-0000-000000000000', CASE n WHEN 0 THEN 200 ELSE 400 END, '',
                clock_timestamp() - (10 - n) * interval '1 second'
         FROM generate_series(0, 9) AS n";
    database.connection.execute_unprepared(records).await.unwrap();
    let left = async || {
        let sql = "SELECT string_agg(key, ' ' ORDER BY key) FROM idempotency_keys";
        let row = database.connection.query_one_raw(statement(sql)).await.unwrap().unwrap();
        row.try_get_by_index::<String>(0).unwrap()
    };

    assert_eq!(keys.delete_refusals(9, 100).await.unwrap(), 0);
    assert_eq!(keys.delete_refusals(6, 2).await.unwrap(), 2);
    assert_eq!(left().await, "0 3 4 5 6 7 8 9");
    side.begin().await;
    side.execute("SELECT FROM idempotency_keys WHERE key = '4' FOR UPDATE").await;
    assert_eq!(keys.delete_refusals(4, 100).await.unwrap(), 2);
    assert_eq!(left().await, "0 4 6 7 8 9");
    side.commit().await;
    assert_eq!(keys.delete_refusals(4, 100).await.unwrap(), 1);
    assert_eq!(left().await, "0 6 7 8 9");
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
