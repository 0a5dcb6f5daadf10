//! Two buyers of the last copy, made to meet: a side connection holds them until both wait. Each test fails
//! when the strategy's guard is taken out.

use std::time::{Duration, Instant};

use flash_sale_testbed::testing::wait_until;
use futures::future::join;

use crate::{Answer, Shop};

#[tokio::test]
async fn unlocked_sells_the_last_copy_twice() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 0).await;

    let (answers, orders, stock) = meet_at_the_row(&shop, "unlocked").await;

    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!((orders, stock), (2, -1));
}

/// What a guard makes wait is the read, the decrement, or another's order; then it lets one of two through.
#[tokio::test]
async fn each_guard_lets_one_of_two_through() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 0).await;
    for strategy in [
        "pessimistic",
        "no_key_update",
        "optimistic",
        "atomic_update",
        "single_statement",
        "check_constraint",
        "serializable",
        "advisory_lock",
        "batched",
    ] {
        let (answers, orders, stock) = meet_at_the_row(&shop, strategy).await;

        assert_eq!((orders, stock), (1, 0), "{strategy}");
        let (sold, refused) = if answers[0].status == 200 { (0, 1) } else { (1, 0) };
        assert_eq!(answers[sold].status, 200, "{strategy}: {}", answers[sold].body);
        answers[refused].assert_problem(400, "Out of stock");
    }
}

#[tokio::test]
async fn nowait_sends_away_whoever_would_have_to_wait() {
    let shop = Shop::open().await;
    let product = shop.product_for("nowait", 1).await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(product).await;

    let begun = Instant::now();
    let answer = shop.buy_by("nowait", 0, product).await;

    answer.assert_problem(409, "Other buyers were faster. Try again");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(begun.elapsed() < Duration::from_secs(1), "at once, not after {:?}", begun.elapsed());
    side.rollback().await;
    assert_eq!(shop.buy_by("nowait", 0, product).await.status, 200);
}

#[tokio::test]
async fn whoever_waits_for_a_lock_too_long_is_503_and_gets_nothing() {
    let shop = Shop::open().await;
    let product = shop.product_for("pessimistic", 1).await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(product).await;
    let key = format!("hashtextextended('{product}', 0)");
    side.execute(&format!("SELECT pg_advisory_xact_lock({key})")).await;

    let (row, advisory) =
        join(shop.buy_by("pessimistic", 0, product), shop.buy_by("advisory_lock", 0, product)).await;
    side.commit().await;

    for answer in [row, advisory] {
        answer.assert_problem(503, "The database is away or too busy. Try again");
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (0, 1));
}

#[tokio::test]
async fn no_key_update_does_not_hold_up_the_foreign_key_of_others() {
    let shop = Shop::open_with(1, |settings| settings.race_window_ms = 1500).await;
    let product = shop.product_for("no_key_update", 1).await;
    let purchase = tokio::spawn(shop.buy_by("no_key_update", 0, product));
    let held = format!("SELECT FROM products WHERE id = '{product}' FOR NO KEY UPDATE SKIP LOCKED");
    let held = format!("SELECT NOT EXISTS ({held})");
    wait_until("the row is held", async || shop.one::<bool>(&held).await).await;

    let side = shop.side_connection().await;
    side.execute("SET lock_timeout = '500ms'").await;
    side.execute(&format!("INSERT INTO orders (product_id, served_by) VALUES ('{product}', 'side')")).await;

    assert!(!purchase.is_finished());
    assert_eq!(purchase.await.unwrap().status, 200);
}

#[tokio::test]
async fn skip_locked_passes_by_what_others_hold() {
    let shop = Shop::open().await;
    let product = shop.product_for("skip_locked", 2).await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.execute("SELECT FROM units WHERE id = (SELECT min(id) FROM units) FOR UPDATE").await;

    let begun = Instant::now();
    assert_eq!(shop.buy_by("skip_locked", 0, product).await.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(1), "at once, not after {:?}", begun.elapsed());

    // What is left is merely held: that is no reason to say that it is sold.
    let answer = shop.buy_by("skip_locked", 0, product).await;
    answer.assert_problem(409, "Other buyers were faster. Try again");
    assert_eq!(shop.stock_of(product).await, 1);
    side.rollback().await;
    assert_eq!(shop.buy_by("skip_locked", 0, product).await.status, 200);
    shop.buy_by("skip_locked", 0, product).await.assert_problem(400, "Out of stock");
}

#[tokio::test]
async fn skip_locked_sells_a_unit_once_while_its_buyer_still_pays() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 0).await;
    let product = shop.product_for("skip_locked", 1).await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(product).await;
    let first = tokio::spawn(shop.buy_by("skip_locked", 0, product));
    wait_until("the first holds the unit", async || side.waiting_statements().await.len() == 1).await;

    let second = shop.buy_by("skip_locked", 1, product).await;

    second.assert_problem(409, "Other buyers were faster. Try again");
    side.commit().await;
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (1, 0));
}

/// Holds the row of a new product, has a buyer of each replica run into it, and lets go when both wait.
async fn meet_at_the_row(shop: &Shop, strategy: &str) -> ([Answer; 2], i64, i64) {
    let product = shop.product_for(strategy, 1).await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(product).await;
    let buyers = join(shop.buy_by(strategy, 0, product), shop.buy_by(strategy, 1, product));
    let buyers = tokio::spawn(buyers);

    wait_until("both buyers wait", async || side.waiting_statements().await.len() == 2).await;
    side.commit().await;

    let (first, second) = buyers.await.unwrap();
    ([first, second], shop.orders_of(product).await, shop.stock_of(product).await)
}
