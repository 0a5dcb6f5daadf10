//! The ways to sell. Here what they share and how they are named; `crowd` has many buyers at once, `gate`
//! makes two of them meet, `batched` has the queue, `reservation` the holds, `stock_buckets` the
//! buckets.

mod batched;
mod bulkhead;
mod crowd;
mod gate;
mod reservation;
mod stock_buckets;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Answer, Shop, read};

/// Over so many rows the stock is spread that `stock_buckets` sells.
const BUCKETS: i32 = 4;

/// All but the one that is meant to.
pub const THAT_DO_NOT_OVERSELL: [&str; 13] = [
    "pessimistic",
    "no_key_update",
    "nowait",
    "optimistic",
    "atomic_update",
    "single_statement",
    "check_constraint",
    "serializable",
    "advisory_lock",
    "skip_locked",
    "batched",
    "reservation",
    "stock_buckets",
];

impl Shop {
    /// A product that can be sold by `strategy`.
    pub async fn product_for(&self, strategy: &str, stock: i32) -> Uuid {
        let id = Uuid::new_v4();
        let has_units = strategy == "skip_locked";
        let quantity = if has_units { 0 } else { stock };
        let opts_in = strategy == "check_constraint";
        self.execute(&format!(
            "INSERT INTO products (id, title, author, year, price, quantity, refuses_oversell)
             VALUES ('{id}', '{strategy}', 'x', 1, 1, {quantity}, {opts_in})"
        ))
        .await;
        if has_units {
            let units =
                format!("INSERT INTO units (product_id) SELECT '{id}' FROM generate_series(1, {stock})");
            self.execute(&units).await;
        }
        if strategy == "stock_buckets" {
            self.execute(&format!("SELECT spread_stock('{id}', {BUCKETS})")).await;
        }
        id
    }

    /// Buys one copy by `strategy` on the replica with this index.
    fn buy_by(
        &self,
        strategy: &str,
        replica: usize,
        product_id: Uuid,
    ) -> impl Future<Output = Answer> + Send + 'static {
        let url = format!("{}/api/orders", self.replicas[replica].url);
        read(self.http.post(url).json(&json!({ "product_id": product_id, "strategy": strategy })))
    }

    pub async fn orders_of(&self, product: Uuid) -> i64 {
        self.one(&format!("SELECT count(*) FROM orders WHERE product_id = '{product}'")).await
    }

    /// As the API reports it.
    pub async fn stock_of(&self, product: Uuid) -> i64 {
        self.get(&format!("/api/products/{product}")).await.json()["quantity"].as_i64().unwrap()
    }
}

#[tokio::test]
async fn the_list_names_every_strategy_and_which_one_oversells() {
    let shop = Shop::open().await;

    let list = shop.get("/api/strategies").await.json();

    let list = list.as_array().unwrap();
    let names: Vec<&str> = list.iter().map(|strategy| strategy["name"].as_str().unwrap()).collect();
    assert_eq!(names[0], "unlocked");
    assert_eq!(names[1..], THAT_DO_NOT_OVERSELL);
    for strategy in list {
        assert_eq!(strategy["can_oversell"], json!(strategy["name"] == "unlocked"));
        assert!(strategy["description"].as_str().unwrap().len() > 20);
        assert!(strategy["loser_gets"].as_str().unwrap().len() > 10);
    }
}

#[tokio::test]
async fn an_unknown_name_is_422_and_lists_the_names() {
    let shop = Shop::open().await;

    let answer = shop.buy_by("prayer", 0, shop.book().await).await;

    answer.assert_problem(422, "The request could not be understood");
    let error = &answer.json()["errors"][0];
    assert_eq!(error["loc"], json!(["body", "strategy"]));
    let message = error["msg"].as_str().unwrap();
    assert!(message.contains("prayer") && message.contains("unlocked"), "{message}");
    assert!(THAT_DO_NOT_OVERSELL.iter().all(|name| message.contains(name)), "{message}");
    assert_eq!(shop.order_count().await, 0);
}

#[tokio::test]
async fn no_name_and_null_mean_the_shops_own_way() {
    let shop = Shop::open().await;
    shop.execute("UPDATE products SET quantity = 2").await;
    let book = shop.book().await;

    for body in [json!({"product_id": book}), json!({"product_id": book, "strategy": Value::Null})] {
        assert_eq!(read(shop.request(Method::POST, "/api/orders").json(&body)).await.status, 200);
    }

    assert_eq!((shop.order_count().await, shop.stock().await), (2, 0));
    assert_eq!(shop.one::<i32>("SELECT version FROM products").await, 0, "the exercise counts no versions");
}

#[tokio::test]
async fn every_strategy_sells_a_copy_and_answers_as_the_exercise_does() {
    let shop = Shop::open().await;

    for strategy in ["unlocked"].into_iter().chain(THAT_DO_NOT_OVERSELL) {
        let product = shop.product_for(strategy, 1).await;

        let sold = shop.buy_by(strategy, 0, product).await;
        assert_eq!(sold.status, 200, "{strategy}: {}", sold.body);
        let order = sold.json();
        let id = order["id"].as_str().unwrap();
        let stored: String =
            shop.one(&format!("SELECT product_id || ' ' || served_by FROM orders WHERE id = '{id}'")).await;
        assert_eq!(stored, format!("{product} replica-1"), "{strategy}");
        assert_eq!(order["product_id"], json!(product));
        assert_eq!(order.as_object().unwrap().len(), 4, "{strategy}: {order}");

        shop.buy_by(strategy, 0, product).await.assert_problem(400, "Out of stock");
        assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (1, 0), "{strategy}");
        shop.buy_by(strategy, 0, Uuid::nil()).await.assert_problem(404, "Product not found");
    }

    let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'replica-1'
                AND datname = current_database() AND state LIKE 'idle in transaction%'";
    assert_eq!(shop.one::<i64>(open).await, 0, "every transaction has ended");
}

#[tokio::test]
async fn a_product_that_lacks_what_a_strategy_sells_by_is_422_and_not_sold() {
    let shop = Shop::open().await;
    let book = shop.book().await;

    for (strategy, word) in [
        ("check_constraint", "refuses_oversell"),
        ("skip_locked", "units"),
        ("stock_buckets", "stock_buckets"),
    ] {
        let answer = shop.buy_by(strategy, 0, book).await;

        answer.assert_problem(422, "This product can't be sold by this strategy");
        let error = &answer.json()["errors"][0];
        assert_eq!(error["loc"], json!(["body", "strategy"]));
        assert!(error["msg"].as_str().unwrap().contains(word), "{error}");
    }
    assert_eq!((shop.order_count().await, shop.stock().await), (0, 1));
}

#[tokio::test]
async fn a_serialization_failure_is_tried_again_also_when_commit_raises_it() {
    let shop = Shop::open().await;
    // A deferred trigger runs within COMMIT. A sequence counts on although the transaction is taken back; it is
    // not the shop's, so the function acts as its owner.
    shop.execute("CREATE SEQUENCE commits").await;
    shop.execute(
        "CREATE FUNCTION refuse_twice() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
         BEGIN
             IF nextval('commits') <= 2 THEN RAISE SQLSTATE '40001'; END IF;
             RETURN NULL;
         END $$",
    )
    .await;
    shop.execute(
        "CREATE CONSTRAINT TRIGGER refuse_twice AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION refuse_twice()",
    )
    .await;

    for strategy in
        ["serializable", "pessimistic", "single_statement", "batched", "reservation", "stock_buckets"]
    {
        shop.execute("ALTER SEQUENCE commits RESTART").await;
        let product = shop.product_for(strategy, 5).await;

        assert_eq!(shop.buy_by(strategy, 0, product).await.status, 200, "{strategy}");

        assert_eq!(shop.one::<i64>("SELECT last_value FROM commits").await, 3, "{strategy}");
        assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (1, 4), "{strategy}");
    }
}

#[tokio::test]
async fn retries_end_with_409_and_nothing_sold() {
    let shop = Shop::open().await;
    shop.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '40P01'; END $$",
    )
    .await;
    shop.execute("CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION refuse()")
        .await;

    for strategy in ["optimistic", "serializable", "skip_locked", "batched", "stock_buckets"] {
        let product = shop.product_for(strategy, 1).await;

        let answer = shop.buy_by(strategy, 0, product).await;

        answer.assert_problem(409, "Other buyers were faster. Try again");
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (0, 1), "{strategy}");
    }
}
