//! `stock_buckets`: a stock that is spread over several rows. What `gate` is for strategies with one row.

use flash_sale_testbed::testing::wait_until;
use futures::future::{join, join_all};
use uuid::Uuid;

use super::BUCKETS;
use crate::Shop;

const NAME: &str = "stock_buckets";
/// An UPDATE of one bucket, without its condition.
const SET: &str = "UPDATE stock_buckets SET quantity =";

impl Shop {
    /// A product with these copies in its buckets.
    async fn product_with(&self, copies: [i32; 2]) -> Uuid {
        let product = self.product_for(NAME, 0).await;
        let [first, second] = copies;
        self.execute(&format!("{SET} CASE number WHEN 1 THEN {first} ELSE {second} END WHERE number <= 2"))
            .await;
        product
    }

    async fn deadlocks(&self) -> i64 {
        self.one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").await
    }
}

#[tokio::test]
async fn the_stock_is_the_sum_of_the_buckets_and_each_bucket_has_its_turn() {
    let shop = Shop::open_with(1, |settings| settings.race_window_ms = 0).await;
    let product = shop.product_for(NAME, 40 * BUCKETS).await;
    assert_eq!(shop.stock_of(product).await, i64::from(40 * BUCKETS));

    // By chance, a bucket stays untouched in one of ten million runs.
    for _ in 0..60 {
        assert_eq!(shop.buy_by(NAME, 0, product).await.status, 200);
    }

    let touched =
        format!("SELECT count(*) FROM stock_buckets WHERE product_id = '{product}' AND quantity < 40");
    assert_eq!(shop.one::<i64>(&touched).await, i64::from(BUCKETS));
    assert_eq!(shop.stock_of(product).await, i64::from(40 * BUCKETS) - 60);
}

/// The only copy is in the bucket, so each buyer chooses it.
#[tokio::test]
async fn a_bucket_that_another_buyer_has_is_waited_for_and_is_not_empty() {
    let shop = Shop::open_with(1, |settings| settings.race_window_ms = 0).await;
    for (is_sold, status) in [(true, 400), (false, 200)] {
        let product = shop.product_with([1, 0]).await;
        let side = shop.side_connection().await;
        side.begin().await;
        side.execute(&format!("{SET} 0 WHERE product_id = '{product}'")).await;
        let buyer = tokio::spawn(shop.buy_by(NAME, 0, product));
        wait_until("the buyer waits", async || side.waiting_statements().await.len() == 1).await;

        if is_sold {
            side.commit().await;
        } else {
            side.rollback().await;
        }

        let answer = buyer.await.unwrap();
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_eq!(shop.stock_of(product).await, 0);
    }
}

/// When the buyer looks at the first bucket, it is empty. When it looked at the second one, that was empty, too. The
/// product was never sold out.
#[tokio::test]
async fn a_copy_that_changes_its_bucket_during_the_wait_is_found() {
    let shop = Shop::open_with(1, |settings| settings.race_window_ms = 0).await;
    let product = shop.product_with([1, 0]).await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.execute(&format!("{SET} 0 WHERE product_id = '{product}' AND number = 1")).await;
    let buyer = tokio::spawn(shop.buy_by(NAME, 0, product));
    wait_until("the buyer waits", async || side.waiting_statements().await.len() == 1).await;

    side.execute(&format!("{SET} 1 WHERE product_id = '{product}' AND number = 2")).await;
    side.commit().await;

    let answer = buyer.await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (1, 0));
}

/// Two buyers wait for a bucket each, and both buckets are emptied. A buyer who kept the lock on one empty bucket while
/// waiting for the other one could wait for a buyer who does the opposite.
#[tokio::test]
async fn buyers_who_find_their_bucket_emptied_do_not_wait_for_each_other() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 0).await;
    let (first, second) = (shop.side_connection().await, shop.side_connection().await);
    for _ in 0..12 {
        let product = shop.product_with([1, 1]).await;
        for (side, number) in [(&first, 1), (&second, 2)] {
            side.begin().await;
            side.execute(&format!("{SET} 0 WHERE product_id = '{product}' AND number = {number}")).await;
        }
        let buyers = join(shop.buy_by(NAME, 0, product), shop.buy_by(NAME, 1, product));
        let buyers = tokio::spawn(buyers);
        wait_until("both buyers wait", async || first.waiting_statements().await.len() == 2).await;

        first.commit().await;
        second.commit().await;

        let (one, other) = buyers.await.unwrap();
        for answer in [one, other] {
            answer.assert_problem(400, "Out of stock");
        }
    }
    assert_eq!(shop.deadlocks().await, 0);
}

/// The purchase has its bucket, and its order comes later. Spreading the stock waits for the bucket meanwhile, and must not
/// hold up the order's foreign key.
#[tokio::test]
async fn a_stock_is_spread_again_while_it_is_sold() {
    let shop = Shop::open_with(1, |settings| settings.race_window_ms = 0).await;
    let product = shop.product_with([1, 1]).await;
    let (purchase, spread) = (shop.side_connection().await, shop.side_connection().await);
    purchase.begin().await;
    purchase.execute(&format!("{SET} 0 WHERE product_id = '{product}' AND number = 1")).await;
    shop.execute(&format!("UPDATE products SET quantity = 5 WHERE id = '{product}'")).await;
    let spreading = tokio::spawn(async move {
        spread.execute(&format!("SELECT spread_stock('{product}', {BUCKETS})")).await;
    });
    wait_until("it waits", async || purchase.waiting_statements().await.len() == 1).await;

    purchase
        .execute(&format!("INSERT INTO orders (product_id, served_by) VALUES ('{product}', 'side')"))
        .await;
    purchase.commit().await;
    spreading.await.unwrap();

    assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (1, 6));
}

#[tokio::test]
async fn a_reader_sees_the_initial_stock_in_orders_and_buckets_at_each_moment() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 0).await;
    let product = shop.product_for(NAME, 100).await;
    let both = format!(
        "SELECT (SELECT sum(quantity) FROM stock_buckets WHERE product_id = '{product}')
                + (SELECT count(*) FROM orders WHERE product_id = '{product}')"
    );
    let buyers = join_all((0..120).map(|number| shop.buy_by(NAME, number % 2, product)));
    let buyers = tokio::spawn(buyers);

    let (mut looks, mut lowest) = (0, 100);
    while !buyers.is_finished() {
        assert_eq!(shop.one::<i64>(&both).await, 100);
        let stock = shop.stock_of(product).await;
        assert!((0..=lowest).contains(&stock), "{stock} after {lowest}");
        (looks, lowest) = (looks + 1, stock);
    }

    assert!(looks > 1, "nobody has looked while copies were sold");
    let answers = buyers.await.unwrap();
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 100);
    assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (100, 0));
}
