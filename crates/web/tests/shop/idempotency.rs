//! `Idempotency-Key`: one key, one purchase, one answer. `copies` sends one purchase several times at once,
//! `kept` looks at what is kept for a key, `crash` kills replicas in the middle of a purchase, and `reset` has the shop
//! start afresh.

mod copies;
mod crash;
mod kept;
mod reset;

use flash_sale_testbed::testing::wait_until;
use futures::future::join;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::{Answer, Shop, read};

/// `None` is the exercise.
const WAYS: [Option<&str>; 15] = [
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
    Some("reservation"),
    Some("stock_buckets"),
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
