//! The queries of `stock_buckets`.

use super::*;

const BUCKETS: &str = "SELECT string_agg(quantity::text, ' ' ORDER BY number) FROM stock_buckets";

async fn buckets(database: &TestDatabase) -> String {
    let row = database.connection.query_one_raw(statement(BUCKETS)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

#[tokio::test]
async fn each_copy_of_each_bucket_is_taken_once() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    let (stock, spread) =
        (StockRepository::new(&database.connection), BucketRepository::new(&database.connection));
    assert!(!spread.take_copy(id).await.unwrap(), "there is no bucket");
    assert_eq!(spread.count_of_product(id).await.unwrap(), BucketCount { quantity: 0, buckets: 0 });
    assert_eq!(stock.get_in_rows(id).await.unwrap(), StockInRows { units: None, in_buckets: None });

    stock.give_back(id, 4).await.unwrap();
    database.connection.execute_unprepared("SELECT spread_stock(id, 3) FROM products").await.unwrap();
    assert_eq!(buckets(&database).await, "2 2 1");
    assert_eq!(spread.count_of_product(id).await.unwrap(), BucketCount { quantity: 5, buckets: 3 });
    assert_eq!(stock.get_in_rows(id).await.unwrap(), StockInRows { units: None, in_buckets: Some(5) });

    for _ in 0..5 {
        assert!(spread.take_copy(id).await.unwrap());
    }
    assert!(!spread.take_copy(id).await.unwrap());
    assert_eq!(buckets(&database).await, "0 0 0");
    assert_eq!(spread.count_of_product(id).await.unwrap(), BucketCount { quantity: 0, buckets: 3 });
}

/// The chosen bucket is emptied while the UPDATE waits for it.
#[tokio::test]
async fn a_bucket_that_was_emptied_during_the_wait_gives_no_copy() {
    let database = TestDatabase::create().await;
    let id = book(&database.connection).await;
    database.connection.execute_unprepared("SELECT spread_stock(id, 1) FROM products").await.unwrap();
    let side = SideConnection::open(&database.url).await;
    side.begin().await;
    side.execute("UPDATE stock_buckets SET quantity = 0").await;
    let second = connect_again(&database).await;
    let taken = tokio::spawn(async move { BucketRepository::new(&second).take_copy(id).await });

    wait_until("the UPDATE waits", async || side.waiting_statements().await.len() == 1).await;
    let seen = BucketRepository::new(&database.connection).count_of_product(id).await.unwrap();
    assert_eq!(seen, BucketCount { quantity: 1, buckets: 1 }, "not empty before the COMMIT");
    side.commit().await;

    assert!(!taken.await.unwrap().unwrap());
    assert_eq!(buckets(&database).await, "0");
}
