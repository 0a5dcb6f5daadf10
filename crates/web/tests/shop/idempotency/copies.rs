//! Copies of one purchase that are in flight at the same time.

use flash_sale_testbed::testing::wait_until;
use futures::future::join_all;
use serde_json::Value;
use uuid::Uuid;

use super::is_replay;
use crate::Shop;

const IN_FLIGHT: &str = "A request with this Idempotency-Key is being worked on. Try again";

#[tokio::test]
async fn a_copy_of_a_request_in_flight_is_409_on_either_replica() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 0).await;
    for strategy in
        [None, Some("pessimistic"), Some("serializable"), Some("single_statement"), Some("batched")]
    {
        let product = shop.product_sold_by(strategy, 5).await;
        let key = Uuid::new_v4().to_string();
        let side = shop.side_connection().await;
        side.begin().await;
        side.lock_product(product).await;
        let first = tokio::spawn(shop.buy_once(strategy, 0, product, &key));
        wait_until("the purchase waits", async || side.waiting_statements().await.len() == 1).await;

        let copy = shop.buy_once(strategy, 1, product, &key).await;
        copy.assert_problem(409, IN_FLIGHT);
        assert_eq!(copy.header("retry-after"), "1");
        side.commit().await;

        let first = first.await.unwrap();
        assert_eq!(first.status, 200, "{strategy:?}: {}", first.body);
        assert_eq!(shop.buy_once(strategy, 1, product, &key).await.body, first.body);
        assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (1, 4), "{strategy:?}");
    }
}

#[tokio::test]
async fn fifty_copies_of_one_purchase_make_one_order_and_answers_that_agree() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 2).await;
    for strategy in [
        None,
        Some("pessimistic"),
        Some("serializable"),
        Some("skip_locked"),
        Some("batched"),
        Some("stock_buckets"),
    ] {
        let product = shop.product_sold_by(strategy, 5).await;
        let key = Uuid::new_v4().to_string();

        let copies = (0..50).map(|number| shop.buy_once(strategy, number % 2, product, &key));
        let answers = join_all(copies).await;

        let body = &answers.iter().find(|answer| answer.status == 200).expect("one is sold").body;
        for answer in &answers {
            match answer.status.as_u16() {
                200 => assert_eq!(&answer.body, body, "{strategy:?}"),
                _ => answer.assert_problem(409, IN_FLIGHT),
            }
        }
        let firsts = answers.iter().filter(|answer| answer.status == 200 && !is_replay(answer));
        assert_eq!(firsts.count(), 1, "{strategy:?}");
        assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (1, 4), "{strategy:?}");
    }
}

#[tokio::test]
async fn copies_within_one_batch_are_one_purchase() {
    let shop = Shop::open().await;
    let product = shop.product_sold_by(Some("batched"), 2).await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(product).await;
    let opener = tokio::spawn(shop.buy_once(Some("batched"), 0, product, "opener"));
    wait_until("a batch waits", async || side.waiting_statements().await.len() == 1).await;
    let buyers = join_all(
        ["same", "same", "same", "opener", "late"].map(|key| shop.buy_once(Some("batched"), 0, product, key)),
    );
    let buyers = tokio::spawn(buyers);
    // The replica is one thread: when a later request is answered, these have been read.
    for _ in 0..20 {
        assert_eq!(shop.get("/health").await.status, 200);
    }
    side.commit().await;

    let opener = opener.await.unwrap();
    assert_eq!(opener.status, 200, "{}", opener.body);
    let answers = buyers.await.unwrap();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    let sold: Vec<Value> = answers[..3]
        .iter()
        .filter(|answer| answer.status == 200)
        .map(|answer| answer.json()["id"].clone())
        .collect();
    assert!(!sold.is_empty() && sold.iter().all(|id| *id == sold[0]), "{statuses:?}");
    assert!(statuses[..3].iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
    assert_eq!((statuses[3], &answers[3].body), (200, &opener.body), "{statuses:?}");
    assert_eq!(statuses[4], 400, "{statuses:?}");
    assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (2, 0));
}
