//! A reset starts the shop afresh: no key answers with an order that it has deleted, and no order loses its key.

use flash_sale_testbed::testing::{SideConnection, wait_until};
use futures::future::join_all;

use super::is_replay;
use crate::{Answer, Shop, read};

/// The ways to sell that ask nothing of a product: the book can be sold by each.
const WAYS: [Option<&str>; 12] = [
    None,
    Some("unlocked"),
    Some("pessimistic"),
    Some("no_key_update"),
    Some("nowait"),
    Some("optimistic"),
    Some("atomic_update"),
    Some("single_statement"),
    Some("serializable"),
    Some("advisory_lock"),
    Some("batched"),
    Some("reservation"),
];

/// Orders that were sold with a key and have no record, and records of orders that aren't there.
const PARTED: &str = "SELECT count(*) FROM (SELECT id FROM orders WHERE served_by LIKE 'replica-%') AS sold
                      FULL JOIN (SELECT (body::jsonb ->> 'id')::uuid AS id FROM idempotency_keys WHERE status = 200)
                          AS kept USING (id)
                      WHERE sold.id IS NULL OR kept.id IS NULL";

impl Shop {
    pub(super) fn reset_on(&self, replica: usize) -> impl Future<Output = Answer> + Send + 'static {
        read(self.http.post(format!("{}/api/reset", self.replicas[replica].url)))
    }
}

/// Counting who waits is not enough: a replica that starts deletes expired keys, and may wait at the same gate.
async fn waits(side: &SideConnection, statement: &str) -> bool {
    side.waiting_statements().await.iter().any(|waiting| waiting.starts_with(statement))
}

#[tokio::test]
async fn a_reset_forgets_what_was_kept_for_its_product_and_nothing_else() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 0).await;
    let book = shop.book().await;
    let other = shop.product_for("exercise", 1).await;
    let foreign = shop.buy_once(None, 0, other, "foreign").await;
    let refused = shop.buy_once(None, 0, other, "refused").await;
    for strategy in WAYS {
        let name = strategy.unwrap_or("exercise");
        let (buyer, loser) = (format!("buyer-{name}"), format!("loser-{name}"));
        assert_eq!(shop.buy_once(strategy, 0, book, &buyer).await.status, 200, "{name}");
        assert_eq!(shop.buy_once(strategy, 0, book, &loser).await.status, 400, "{name}");

        assert_eq!(shop.reset_on(1).await.json()["deleted_orders"], 1);
        let sold = shop.buy_once(strategy, 0, book, &buyer).await;
        assert!(sold.status == 200 && !is_replay(&sold), "{name}: {}", sold.body);
        let id = sold.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(shop.one::<i64>(&format!("SELECT count(*) FROM orders WHERE id = '{id}'")).await, 1);

        assert_eq!(shop.reset_on(1).await.json()["deleted_orders"], 1);
        let sold = shop.buy_once(strategy, 0, book, &loser).await;
        assert!(sold.status == 200 && !is_replay(&sold), "{name}: {}", sold.body);
        assert_eq!((shop.orders_of(book).await, shop.stock_of(book).await), (1, 0), "{name}");
        assert_eq!(shop.reset_on(1).await.status, 200);
    }

    for (key, first) in [("foreign", foreign), ("refused", refused)] {
        let again = shop.buy_once(None, 0, other, key).await;
        assert!(is_replay(&again) && again.body == first.body, "{key}: {}", again.body);
    }
}

/// `skip_locked` waits for no reset, which changes no row that it does. Here it commits while the reset is in the
/// middle of deleting.
#[tokio::test]
async fn a_purchase_that_a_reset_does_not_wait_for_keeps_its_order_and_its_key() {
    let shop = Shop::open().await;
    let book = shop.book().await;
    shop.execute("INSERT INTO units (product_id) SELECT id FROM products").await;
    shop.execute(
        "CREATE FUNCTION wait_after_delete() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$",
    )
    .await;
    shop.execute(
        "CREATE TRIGGER wait_after_delete AFTER DELETE ON orders
         FOR EACH STATEMENT EXECUTE FUNCTION wait_after_delete()",
    )
    .await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.execute("SELECT pg_advisory_xact_lock(7)").await;
    let reset = tokio::spawn(shop.reset_on(0));
    wait_until("the reset has deleted the orders", async || side.waiting_statements().await.len() == 1).await;

    let sold = shop.buy_once(Some("skip_locked"), 0, book, "one").await;
    side.commit().await;

    assert_eq!(sold.status, 200, "{}", sold.body);
    assert_eq!(reset.await.unwrap().json()["deleted_orders"], 0);
    let again = shop.buy_once(Some("skip_locked"), 0, book, "one").await;
    assert!(is_replay(&again) && again.body == sold.body, "{}", again.body);
    assert_eq!(shop.orders_of(book).await, 1);
}

#[tokio::test]
async fn a_reset_waits_for_a_purchase_with_a_key_and_then_forgets_both() {
    let shop = Shop::open().await;
    let book = shop.book().await;
    for strategy in [None, Some("pessimistic"), Some("serializable"), Some("batched")] {
        let side = shop.side_connection().await;
        side.begin().await;
        // The purchase is made, and its answer not yet stored.
        side.execute("LOCK TABLE idempotency_keys IN SHARE MODE").await;
        let purchase = tokio::spawn(shop.buy_once(strategy, 0, book, "one"));
        wait_until("the purchase waits", async || waits(&side, "INSERT INTO idempotency_keys").await).await;
        let reset = tokio::spawn(shop.reset_on(0));
        wait_until("the reset waits too", async || waits(&side, "UPDATE \"products\"").await).await;

        side.commit().await;

        let sold = purchase.await.unwrap();
        assert_eq!(sold.status, 200, "{strategy:?}: {}", sold.body);
        assert_eq!(reset.await.unwrap().json()["deleted_orders"], 1, "{strategy:?}");
        assert_eq!((shop.order_count().await, shop.stock().await), (0, 1), "{strategy:?}");
        let again = shop.buy_once(strategy, 0, book, "one").await;
        assert!(again.status == 200 && again.body != sold.body, "{strategy:?}: {}", again.body);
        assert_eq!(shop.reset_on(0).await.status, 200);
    }
}

/// One way after the other. At once, two of them can deadlock one another, a reset or none: `pessimistic`, and a
/// purchase that inserts its order before it locks the product, as the exercise and `serializable` do.
#[tokio::test]
async fn under_purchases_with_keys_and_resets_at_once_no_order_and_key_are_parted_and_nobody_deadlocks() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 2).await;
    let book = shop.book().await;
    for strategy in [None, Some("pessimistic"), Some("atomic_update"), Some("serializable"), Some("batched")]
    {
        let mut purchases = Vec::new();
        let mut resets = Vec::new();
        for number in 0..100 {
            let key = format!("{}-{number}", strategy.unwrap_or("exercise"));
            purchases.push(tokio::spawn(shop.buy_once(strategy, number % 2, book, &key)));
            if number % 5 == 0 {
                resets.push(tokio::spawn(shop.reset_on(number % 2)));
            }
        }

        let told: Vec<Answer> = join_all(purchases).await.into_iter().map(Result::unwrap).collect();
        let resets: Vec<Answer> = join_all(resets).await.into_iter().map(Result::unwrap).collect();

        for answer in &told {
            // 409: `serializable` was overtaken each time.
            assert!([200, 400, 409].contains(&answer.status.as_u16()), "{strategy:?}: {}", answer.body);
        }
        assert!(resets.iter().all(|answer| answer.status == 200), "{strategy:?}");
        let sold = told.iter().filter(|answer| answer.status == 200).count() as i64;
        let deleted: i64 = resets.iter().filter_map(|answer| answer.json()["deleted_orders"].as_i64()).sum();
        let orders = shop.order_count().await;
        assert_eq!(orders, sold - deleted, "{strategy:?}: each order is there, or a reset has counted it");
        assert_eq!(i64::from(shop.stock().await), 1 - orders, "{strategy:?}: each order has taken its copy");
        assert_eq!(shop.one::<i64>(PARTED).await, 0, "{strategy:?}");
        assert_eq!(shop.reset_on(0).await.status, 200);
        assert_eq!(shop.one::<i64>("SELECT count(*) FROM idempotency_keys WHERE status = 200").await, 0);
    }
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(shop.one::<i64>(deadlocks).await, 0);
}
