//! What is kept for a key: each answer that the shop has decided, for 24 hours, and of refusals only the newest.

use flash_sale_testbed::testing::wait_until;
use futures::future::join_all;
use uuid::Uuid;

use super::{WAYS, is_replay};
use crate::Shop;

#[tokio::test]
async fn a_refusal_is_kept_too_also_when_there_is_stock_again() {
    let shop = Shop::open().await;
    for strategy in WAYS {
        let product = shop.product_sold_by(strategy, 1).await;
        shop.buy_once(strategy, 0, product, "the-last-copy").await;
        let key = Uuid::new_v4().to_string();

        let first = shop.buy_once(strategy, 0, product, &key).await;
        first.assert_problem(400, "Out of stock");
        shop.execute(&format!("DELETE FROM orders WHERE product_id = '{product}'")).await;
        shop.execute(&format!("UPDATE products SET quantity = 1 WHERE id = '{product}'")).await;
        let again = shop.buy_once(strategy, 0, product, &key).await;

        again.assert_problem(400, "Out of stock");
        assert!(!is_replay(&first) && is_replay(&again), "{strategy:?}");
        assert_eq!(again.body, first.body);
        assert_eq!(shop.orders_of(product).await, 0, "{strategy:?}");
        shop.execute("DELETE FROM idempotency_keys").await;
    }
}

/// Otherwise a client that invents products could fill the database.
#[tokio::test]
async fn what_can_not_be_sold_at_all_uses_no_key_up_and_leaves_no_record() {
    let shop = Shop::open_with(1, |settings| settings.race_window_ms = 0).await;
    let book = shop.book().await;
    let refused = WAYS.map(|strategy| (strategy, Uuid::new_v4(), 404));
    // The book is not sold by these.
    let unfit = ["check_constraint", "skip_locked", "stock_buckets"].map(|name| (Some(name), book, 422));

    for (strategy, product, status) in refused.into_iter().chain(unfit) {
        let key = Uuid::new_v4().to_string();
        for _ in 0..2 {
            let answer = shop.buy_once(strategy, 0, product, &key).await;
            assert!(answer.status == status && !is_replay(&answer), "{strategy:?}: {}", answer.body);
        }
        assert_eq!(shop.one::<i64>("SELECT count(*) FROM idempotency_keys").await, 0, "{strategy:?}");
        let sold = shop.buy_once(None, 0, book, &key).await;
        assert!(sold.status == 200 && !is_replay(&sold), "{strategy:?}: {}", sold.body);
        assert_eq!(shop.reset_on(0).await.status, 200);
    }
}

/// With the constants of `StrategyService`. What was sold is never forgotten for it.
#[tokio::test]
async fn of_refusals_only_the_newest_are_kept() {
    let shop = Shop::open().await;
    let product = shop.product_sold_by(None, 1).await;
    let sold = shop.buy_once(None, 0, product, "sold").await;
    let refused = shop.buy_once(None, 0, product, "refused").await;
    refused.assert_problem(400, "Out of stock");
    shop.execute("UPDATE idempotency_keys SET created_at = created_at - interval '1 hour'").await;
    let refusals = "INSERT INTO idempotency_keys (key, request, status, body)
         SELECT 'flood-' || n, (SELECT request FROM idempotency_keys WHERE key = 'refused'), 400, ''
         FROM generate_series(1, 61000) AS n";
    shop.execute(refusals).await;

    // The replica deletes them after each thousand of its own.
    let batched = shop.product_sold_by(Some("batched"), 0).await;
    for _ in 0..10 {
        let refusals =
            (0..100).map(|_| shop.buy_once(Some("batched"), 0, batched, &Uuid::new_v4().to_string()));
        assert!(join_all(refusals).await.iter().all(|refusal| refusal.status == 400));
    }
    let kept = "SELECT count(*) FROM idempotency_keys WHERE status <> 200";
    // Two of the same microsecond go together.
    wait_until("they are deleted", async || shop.one::<i64>(kept).await <= 50_000).await;
    assert!(shop.one::<i64>(kept).await > 49_900);

    let again = shop.buy_once(None, 0, product, "sold").await;
    assert!(is_replay(&again) && again.body == sold.body);
    let forgotten = shop.buy_once(None, 0, product, "refused").await;
    assert!(forgotten.status == 400 && !is_replay(&forgotten), "decided anew: {}", forgotten.body);
}

#[tokio::test]
async fn an_outage_is_not_kept() {
    let shop = Shop::open().await;
    let side = shop.side_connection().await;
    let mut products = Vec::new();
    side.begin().await;
    for strategy in [None, Some("nowait"), Some("batched")] {
        let product = shop.product_sold_by(strategy, 5).await;
        side.lock_product(product).await;
        products.push((strategy, product));
    }

    let outages = products
        .iter()
        .map(|(strategy, product)| shop.buy_once(*strategy, 0, *product, &product.to_string()));
    let statuses: Vec<u16> = join_all(outages).await.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [503, 409, 503]);
    side.commit().await;

    assert_eq!(shop.one::<i64>("SELECT count(*) FROM idempotency_keys").await, 0);
    for (strategy, product) in products {
        let retry = shop.buy_once(strategy, 0, product, &product.to_string()).await;
        assert!(retry.status == 200 && !is_replay(&retry), "{strategy:?}: {}", retry.body);
        assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (1, 4), "{strategy:?}");
    }
}

#[tokio::test]
async fn keys_are_forgotten_after_24_hours() {
    let shop = Shop::open().await;
    let product = shop.product_sold_by(None, 5).await;
    let first = shop.buy_once(None, 0, product, "daily").await;
    let age = |hours: &str| {
        format!("UPDATE idempotency_keys SET created_at = clock_timestamp() - interval '{hours} hours'")
    };

    shop.execute(&age("23.9")).await;
    assert_eq!(shop.buy_once(None, 0, product, "daily").await.body, first.body);
    shop.execute(&age("24.1")).await;
    let next_day = shop.buy_once(None, 0, product, "daily").await;

    assert!(next_day.status == 200 && !is_replay(&next_day) && next_day.body != first.body);
    assert_eq!(shop.buy_once(None, 0, product, "daily").await.body, next_day.body);
    assert_eq!(shop.orders_of(product).await, 2);

    // Each replica deletes them when it starts, and from time to time.
    shop.execute(&age("24.1")).await;
    let settings = flash_sale_testbed::testing::ReplicaSettings::new(&shop.database.shop_url);
    let _second = flash_sale_testbed::testing::Replica::start(crate::SHOP.as_ref(), settings).await;
    wait_until("it is deleted", async || shop.one::<i64>("SELECT count(*) FROM idempotency_keys").await == 0)
        .await;
}

/// As replicas wrote them that called the strategies by other names: their clients may still come again.
#[tokio::test]
async fn a_record_in_the_old_words_still_answers() {
    let shop = Shop::open().await;
    for (strategy, words) in [(None, "None"), (Some("no_key_update"), "Some(NoKeyUpdate)")] {
        let product = shop.product_sold_by(strategy, 5).await;
        let key = Uuid::new_v4().to_string();
        shop.execute(&format!(
            "INSERT INTO idempotency_keys (key, request, status, body)
             VALUES ('{key}', '{product} {words}', 200, '{{\"id\":\"the first order\"}}')"
        ))
        .await;

        let again = shop.buy_once(strategy, 0, product, &key).await;
        let another = shop.buy_once(Some("batched"), 0, product, &key).await;

        assert!(again.status == 200 && is_replay(&again), "{words}: {}", again.body);
        assert_eq!(again.json()["id"], "the first order");
        another.assert_problem(422, "This Idempotency-Key was used for another request");
        assert_eq!(shop.orders_of(product).await, 0);
    }
}
