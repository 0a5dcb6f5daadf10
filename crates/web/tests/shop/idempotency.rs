//! `Idempotency-Key`: one key, one purchase, one answer. `crash` kills replicas in the middle of it, `reset` has
//! the shop start afresh.

mod crash;
mod reset;

use flash_sale_testbed::testing::wait_until;
use futures::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Answer, Shop, read};

const IN_FLIGHT: &str = "A request with this Idempotency-Key is being worked on. Try again";
/// `None` is the exercise.
const WAYS: [Option<&str>; 13] = [
    None,
    Some("unlocked"),
    Some("pessimistic"),
    Some("no_key_update"),
    Some("nowait"),
    Some("optimistic"),
    Some("atomic_update"),
    Some("single_statement"),
    Some("check_constraint"),
    Some("serializable"),
    Some("advisory_lock"),
    Some("skip_locked"),
    Some("batched"),
];

impl Shop {
    /// Buys one copy with a key on the replica with this index.
    pub fn buy_once(
        &self,
        strategy: Option<&str>,
        replica: usize,
        product_id: Uuid,
        key: &str,
    ) -> impl Future<Output = Answer> + Send + use<> {
        let url = format!("{}/api/orders", self.replicas[replica].url);
        let body = json!({ "product_id": product_id, "strategy": strategy });
        read(self.http.post(url).header("Idempotency-Key", key).json(&body))
    }

    /// A product that can be sold this way.
    async fn product_sold_by(&self, strategy: Option<&str>, stock: i32) -> Uuid {
        self.product_for(strategy.unwrap_or("exercise"), stock).await
    }
}

fn is_replay(answer: &Answer) -> bool {
    answer.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

#[tokio::test]
async fn the_same_key_gets_the_first_answer_again_byte_for_byte_from_either_replica() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 0).await;
    for strategy in WAYS {
        let product = shop.product_sold_by(strategy, 5).await;
        let key = Uuid::new_v4().to_string();

        let first = shop.buy_once(strategy, 0, product, &key).await;
        let again = shop.buy_once(strategy, 1, product, &format!("\"{key}\"")).await;

        assert_eq!(first.status, 200, "{strategy:?}: {}", first.body);
        assert!(!is_replay(&first) && is_replay(&again), "{strategy:?}");
        assert_eq!((again.status, &again.body), (first.status, &first.body), "{strategy:?}");
        assert_eq!(again.header("content-type"), first.header("content-type"));
        assert_eq!((first.header("x-served-by"), again.header("x-served-by")), ("replica-1", "replica-2"));
        assert_ne!(first.header("x-request-id"), again.header("x-request-id"));
        assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (1, 4), "{strategy:?}");
        let id = first.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(shop.one::<i64>(&format!("SELECT count(*) FROM orders WHERE id = '{id}'")).await, 1);
        let words = format!("SELECT request FROM idempotency_keys WHERE key = '{key}'");
        let name = strategy.map(|name| format!(" {name}")).unwrap_or_default();
        assert_eq!(shop.one::<String>(&words).await, format!("{product}{name}"), "as the API calls it");
    }
}

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

/// Otherwise whoever invents products would fill the database.
#[tokio::test]
async fn what_can_not_be_sold_at_all_uses_no_key_up_and_leaves_no_record() {
    let shop = Shop::open_with(1, |settings| settings.race_window_ms = 0).await;
    let book = shop.book().await;
    let refused = WAYS.map(|strategy| (strategy, Uuid::new_v4(), 404));
    // The book is not sold by these.
    let unfit = ["check_constraint", "skip_locked"].map(|name| (Some(name), book, 422));

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
async fn the_same_key_for_another_purchase_is_422() {
    let shop = Shop::open().await;
    let product = shop.product_sold_by(None, 5).await;
    let other = shop.product_sold_by(None, 5).await;
    assert_eq!(shop.buy_once(None, 0, product, "one").await.status, 200);

    for (strategy, product) in [(None, other), (Some("pessimistic"), product), (Some("batched"), product)] {
        let answer = shop.buy_once(strategy, 0, product, "one").await;

        answer.assert_problem(422, "This Idempotency-Key was used for another request");
        assert!(!is_replay(&answer));
    }
    assert_eq!(shop.order_count().await, 1);
}

/// Why a key must be impossible to guess: README.md, DETONADO.md (8.4) and the API's description say so.
#[tokio::test]
async fn whoever_sends_a_key_first_has_used_it_up_and_the_next_one_is_told_what_they_were() {
    let shop = Shop::open().await;
    let (product, other) = (shop.product_sold_by(None, 2).await, shop.product_sold_by(None, 2).await);

    let stranger = shop.buy_once(None, 0, product, "my-click-1").await;
    let owner = shop.buy_once(None, 0, product, "my-click-1").await;

    assert_eq!((stranger.status.as_u16(), owner.status.as_u16()), (200, 200));
    assert!(is_replay(&owner) && owner.body == stranger.body, "the stranger's order, with its id");
    assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (1, 1));

    assert_eq!(shop.buy_once(None, 0, other, "my-click-2").await.status, 200);
    let owner = shop.buy_once(None, 0, product, "my-click-2").await;
    owner.assert_problem(422, "This Idempotency-Key was used for another request");
    assert_eq!(shop.stock_of(product).await, 1);
}

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
    for strategy in [None, Some("pessimistic"), Some("serializable"), Some("skip_locked"), Some("batched")] {
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
async fn a_key_that_can_not_be_read_is_400_and_nothing_is_sold() {
    let shop = Shop::open().await;
    let book = shop.book().await;
    let detail = "Idempotency-Key: expected one string of 1 to 255 characters, as \"8e03978e-40d5\"";

    for key in ["", "\"\"", "two words", "\"open", "a, b", &"k".repeat(256)] {
        shop.buy_once(None, 0, book, key).await.assert_problem(400, detail);
    }
    let twice = shop.request(Method::POST, "/api/orders").header("Idempotency-Key", "a");
    let twice = twice.header("Idempotency-Key", "a").json(&json!({ "product_id": book }));
    read(twice).await.assert_problem(400, detail);
    assert_eq!(shop.order_count().await, 0);
}

#[tokio::test]
async fn a_body_that_is_no_order_uses_no_key_up() {
    let shop = Shop::open().await;
    let request = shop.request(Method::POST, "/api/orders").header("Idempotency-Key", "typo");
    assert_eq!(read(request.json(&json!({ "product_id": 7 }))).await.status, 422);

    assert_eq!(shop.buy_once(None, 0, shop.book().await, "typo").await.status, 200);
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

/// What a key does not solve: two buyers are two purchases.
#[tokio::test]
async fn two_keys_are_two_purchases_and_still_oversell() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 0).await;
    let product = shop.product_sold_by(Some("unlocked"), 1).await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(product).await;
    let buy = |replica, key| shop.buy_once(Some("unlocked"), replica, product, key);
    let buyers = tokio::spawn(join(buy(0, "one"), buy(1, "two")));

    wait_until("both wait", async || side.waiting_statements().await.len() == 2).await;
    side.commit().await;

    let (one, two) = buyers.await.unwrap();
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (200, 200));
    assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (2, -1));
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
