//! The queries of `Idempotency-Key`: keys that are reserved, recorded and deleted.

use super::*;

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
