//! The JSON API, row by row.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Shop, read};

#[tokio::test]
async fn the_shop_shows_its_one_book() {
    let shop = Shop::open().await;

    let answer = shop.get("/api/products").await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    let expected = json!({
        "id": shop.book().await,
        "title": "Napping Through Incidents",
        "author": "Lazy Bird",
        "year": 2019,
        "price": 9.99,
        "quantity": 1,
    });
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn a_product_is_found_by_its_id_however_that_is_written() {
    let shop = Shop::open().await;
    let id = shop.book().await;
    let expected = shop.get("/api/products").await.json();

    for id in [id.to_string(), id.to_string().to_uppercase(), id.simple().to_string()] {
        let answer = shop.get(&format!("/api/products/{id}")).await;

        assert_eq!(answer.status, 200, "{id}");
        assert_eq!(answer.json(), expected);
    }
}

#[tokio::test]
async fn a_product_that_is_not_there_is_404_and_a_malformed_id_422() {
    let shop = Shop::open().await;

    let unknown = shop.get(&format!("/api/products/{}", Uuid::nil())).await;
    unknown.assert_problem(404, "Product not found");

    for id in ["7", "not-an-id", "%ff", "00000000-0000-0000-0000-00000000000g"] {
        let malformed = shop.get(&format!("/api/products/{id}")).await;
        malformed.assert_problem(422, "The request could not be understood");
        assert_eq!(malformed.json()["errors"], json!([{"loc": ["path", "id"], "msg": "expected a UUID"}]));
    }
}

#[tokio::test]
async fn an_order_is_answered_with_the_row_that_was_stored() {
    let shop = Shop::open().await;
    let book = shop.book().await;

    let answer = shop.buy_on(0, book).await;

    assert_eq!(answer.status, 200, "{}", answer.body);
    let order = answer.json();
    let stored: String = shop
        .one(
            "SELECT id || ' ' || product_id || ' ' || served_by || ' ' ||
             to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM orders",
        )
        .await;
    let text = |name: &str| order[name].as_str().unwrap().to_owned();
    assert_eq!([text("id"), text("product_id"), text("served_by"), text("created_at")].join(" "), stored);
    assert_eq!(order["product_id"], json!(book));
    assert_eq!(order["served_by"], "replica-1");
    assert_eq!(order.as_object().unwrap().len(), 4);
    assert_eq!(shop.stock().await, 0);
}

#[tokio::test]
async fn an_order_without_stock_is_refused_and_changes_nothing() {
    let shop = Shop::open().await;
    shop.execute("UPDATE products SET quantity = 0").await;

    let answer = shop.buy_on(0, shop.book().await).await;

    answer.assert_problem(400, "Out of stock");
    assert_eq!((shop.order_count().await, shop.stock().await), (0, 0));
}

#[tokio::test]
async fn a_refused_purchase_ends_its_transaction_before_it_answers() {
    let shop = Shop::open().await;
    shop.execute("UPDATE products SET quantity = 0").await;
    let open_transactions = "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'replica-1' AND datname = current_database() AND state LIKE 'idle in transaction%'";

    for product in [shop.book().await, Uuid::nil()] {
        assert!(shop.buy_on(0, product).await.status.is_client_error());

        assert_eq!(shop.one::<i64>(open_transactions).await, 0);
    }
}

#[tokio::test]
async fn an_order_of_an_unknown_product_is_404_and_leaves_no_row() {
    let shop = Shop::open().await;

    shop.buy_on(0, Uuid::nil()).await.assert_problem(404, "Product not found");

    assert_eq!(shop.order_count().await, 0);
}

#[tokio::test]
async fn a_body_that_is_no_order_is_422_and_says_where() {
    let shop = Shop::open().await;
    let book = shop.book().await;
    let not_orders = [
        (String::new(), json!(["body"])),
        ("{".to_owned(), json!(["body"])),
        ("{}".to_owned(), json!(["body"])),
        ("null".to_owned(), json!(["body"])),
        (format!("[\"{book}\"]"), json!(["body"])),
        (format!("{{\"product_id\":\"{book}\"}} x"), json!(["body"])),
        (r#"{"product_id":null}"#.to_owned(), json!(["body", "product_id"])),
        (r#"{"product_id":7}"#.to_owned(), json!(["body", "product_id"])),
        (r#"{"product_id":"7"}"#.to_owned(), json!(["body", "product_id"])),
        (format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500)), json!(["body"])),
    ];

    for (body, loc) in not_orders {
        let request = shop.request(Method::POST, "/api/orders").header("Content-Type", "application/json");
        let answer = read(request.body(body.clone())).await;

        assert_eq!(answer.status, 422, "{body}");
        answer.assert_problem(422, "The request could not be understood");
        let errors = answer.json()["errors"].clone();
        let first = errors[0]["loc"].as_array().unwrap();
        assert!(first.starts_with(loc.as_array().unwrap()), "{body}: {errors}");
        assert!(!errors[0]["msg"].as_str().unwrap().is_empty());
    }
    assert_eq!(shop.order_count().await, 0);
}

#[tokio::test]
async fn extra_fields_are_ignored_and_a_body_without_a_type_is_json() {
    let shop = Shop::open().await;
    let book = shop.book().await;
    let body = format!(r#"{{"note":"gift","product_id":"{}"}}"#, book.simple().to_string().to_uppercase());

    let answer = read(shop.request(Method::POST, "/api/orders").body(body.clone())).await;
    assert_eq!(answer.status, 200, "{}", answer.body);

    let form = shop.request(Method::POST, "/api/orders").header("Content-Type", "text/plain").body(body);
    read(form).await.assert_problem(415, "Expected a JSON body: Content-Type: application/json");
}

#[tokio::test]
async fn orders_are_listed_newest_first() {
    let shop = Shop::open().await;
    shop.execute(
        "INSERT INTO orders (product_id, served_by, created_at)
         SELECT id, served_by, timestamptz '2026-01-01 00:00:00Z' + age FROM products, (VALUES
            ('b', interval '2 s'), ('a', interval '1 s'), ('c', interval '3 s')) AS sold (served_by, age)",
    )
    .await;

    let orders = shop.get("/api/orders").await.json();

    assert_eq!(served_by(&orders), ["c", "b", "a"]);
    assert_eq!(orders[0]["created_at"], "2026-01-01T00:00:03.000000Z");
}

#[tokio::test]
async fn pages_of_orders_neither_skip_nor_repeat_one_even_at_equal_times() {
    let shop = Shop::open().await;
    shop.execute(
        "INSERT INTO orders (product_id, served_by, created_at)
         SELECT id, number::text, timestamptz '2026-01-01 00:00:00Z' + number / 3 * interval '1 s'
         FROM products, generate_series(1, 11) AS number",
    )
    .await;
    let all = shop.get("/api/orders").await.json();
    let mut paged = shop.get("/api/orders?limit=2").await.json().as_array().unwrap().clone();

    while let Some(last) = paged.last() {
        let next = format!("/api/orders?limit=2&before={}", last["id"].as_str().unwrap());
        let page = shop.get(&next).await.json().as_array().unwrap().clone();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }

    assert_eq!(Value::Array(paged), all);
    assert_eq!(all.as_array().unwrap().len(), 11);
}

#[tokio::test]
async fn a_list_of_orders_ends_at_a_thousand() {
    let shop = Shop::open().await;
    shop.execute(
        "INSERT INTO orders (product_id, served_by) SELECT id, 'replica-1' FROM products, generate_series(1, 1001)",
    )
    .await;

    for path in ["/api/orders", "/api/orders?limit=1000"] {
        assert_eq!(shop.get(path).await.json().as_array().unwrap().len(), 1000);
    }
}

#[tokio::test]
async fn a_page_that_can_not_be_given_is_422_and_names_the_parameter() {
    let shop = Shop::open().await;
    let unknown = format!("before={}", Uuid::nil());

    for (query, parameter) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=many", "limit"),
        ("before=7", "before"),
        (&unknown, "before"),
    ] {
        let answer = shop.get(&format!("/api/orders?{query}")).await;

        answer.assert_problem(422, "The request could not be understood");
        assert_eq!(answer.json()["errors"][0]["loc"], json!(["query", parameter]), "{query}");
    }
}

#[tokio::test]
async fn a_reset_deletes_the_orders_and_puts_one_copy_back() {
    let shop = Shop::open().await;
    let book = shop.book().await;
    shop.execute("UPDATE products SET quantity = 2").await;
    for _ in 0..2 {
        assert_eq!(shop.buy_on(0, book).await.status, 200);
    }

    let reset = shop.post("/api/reset").await;

    assert_eq!(reset.status, 200);
    assert_eq!(reset.json(), json!({"deleted_orders": 2, "quantity_reset_to": 1}));
    assert_eq!((shop.order_count().await, shop.stock().await), (0, 1));
}

#[tokio::test]
async fn a_reset_leaves_other_products_alone() {
    let shop = Shop::open().await;
    let id = Uuid::new_v4();
    shop.execute(&format!(
        "INSERT INTO products (id, title, author, year, price, quantity) VALUES ('{id}', 'Other', 'x', 1, 1, 7)"
    ))
    .await;
    assert_eq!(shop.buy_on(0, id).await.status, 200);

    shop.post("/api/reset").await;

    let other: i32 = shop.one(&format!("SELECT quantity FROM products WHERE id = '{id}'")).await;
    assert_eq!((other, shop.order_count().await), (6, 1));
    assert_ne!(
        shop.get("/api/products").await.json()["id"],
        json!(id),
        "the shop's window still shows its book"
    );
}

#[tokio::test]
async fn health_and_readiness_name_the_replica() {
    let shop = Shop::open().await;

    let health = shop.get("/health").await;
    assert_eq!(
        (health.status.as_u16(), health.json()),
        (200, json!({"status": "healthy", "service": "replica-1"}))
    );
    let ready = shop.get("/ready").await;
    assert_eq!(
        (ready.status.as_u16(), ready.json()),
        (200, json!({"status": "ready", "service": "replica-1"}))
    );
}

fn served_by(orders: &Value) -> Vec<&str> {
    orders.as_array().unwrap().iter().map(|order| order["served_by"].as_str().unwrap()).collect()
}
