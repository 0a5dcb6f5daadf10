//! A client that goes away while its purchase is worked on: the purchase is taken back, or was committed
//! already, but is never committed later.

use std::time::Duration;

use flash_sale_core::limits::LOCK_TIMEOUT;
use flash_sale_testbed::testing::wait_until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Shop;

#[tokio::test]
async fn a_purchase_that_waits_for_the_row_is_taken_back_when_its_client_leaves() {
    for strategy in ["", r#","strategy":"pessimistic""#, r#","strategy":"optimistic""#] {
        let shop = Shop::open().await;
        let side = shop.side_connection().await;
        side.begin().await;
        side.lock_product(shop.book().await).await;
        let client = begin_purchase(&shop, strategy).await;
        wait_until("it waits for the row", async || side.waiting_statements().await.len() == 1).await;

        drop(client);
        says_that_the_client_left(&shop).await;
        side.commit().await;

        nothing_came_of_it(&shop).await;
    }
}

#[tokio::test]
async fn a_purchase_that_waits_for_the_payment_is_taken_back_at_once() {
    let shop = Shop::open_with(1, |settings| settings.race_window_ms = 3000).await;
    let client = begin_purchase(&shop, "").await;
    wait_until("it waits for the payment", async || shop.works_in_the_database().await).await;

    drop(client);

    says_that_the_client_left(&shop).await;
    nothing_came_of_it(&shop).await;
}

/// Nobody can tell who only closes the sending side from who has left.
#[tokio::test]
async fn a_client_that_closes_its_sending_side_counts_as_gone() {
    let shop = Shop::open_with(1, |settings| settings.race_window_ms = 3000).await;
    let mut client = begin_purchase(&shop, "").await;
    wait_until("it waits for the payment", async || shop.works_in_the_database().await).await;

    client.shutdown().await.unwrap();

    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"", "the connection is closed without an answer");
    nothing_came_of_it(&shop).await;
}

#[tokio::test]
async fn a_purchase_in_a_queue_is_left_out_when_its_client_leaves() {
    let shop = Shop::open().await;
    shop.execute("UPDATE products SET quantity = 2").await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(shop.book().await).await;
    let first = begin_purchase(&shop, r#","strategy":"batched""#).await;
    wait_until("the first batch waits for the row", async || side.waiting_statements().await.len() == 1)
        .await;
    let second = begin_purchase(&shop, r#","strategy":"batched""#).await;
    // A replica is one thread, and works in the order of arrival: by the last answer the second is in the queue.
    for _ in 0..10 {
        assert_eq!(shop.get("/health").await.status, 200);
    }
    drop(second);
    says_that_the_client_left(&shop).await;
    side.commit().await;

    wait_until("the first has bought", async || shop.order_count().await == 1).await;
    drop(first);
    assert_eq!(shop.stock().await, 1, "and the second has not");
}

/// PostgreSQL is the client's server too: a statement that is a transaction by itself would otherwise be carried
/// out when its lock is free.
#[tokio::test]
async fn a_statement_whose_replica_dies_is_ended_while_it_waits() {
    let mut shop = Shop::open().await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(shop.book().await).await;
    let _client = begin_purchase(&shop, r#","strategy":"single_statement""#).await;
    wait_until("it waits for the row", async || side.waiting_statements().await.len() == 1).await;

    let killed = std::time::Instant::now();
    shop.replicas.pop().unwrap().kill().await;

    wait_until("it is ended", async || side.waiting_statements().await.is_empty()).await;
    let ended_by_lock_timeout = LOCK_TIMEOUT - Duration::from_millis(500);
    assert!(killed.elapsed() < ended_by_lock_timeout, "{:?}", killed.elapsed());
    side.commit().await;
    assert_eq!((shop.order_count().await, shop.stock().await), (0, 1));
}

async fn begin_purchase(shop: &Shop, strategy: &str) -> TcpStream {
    let body = format!(r#"{{"product_id":"{}"{strategy}}}"#, shop.book().await);
    let mut client = TcpStream::connect(("127.0.0.1", shop.replicas[0].port)).await.unwrap();
    let head =
        format!("POST /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n", body.len());
    client.write_all((head + &body).as_bytes()).await.unwrap();
    client
}

async fn says_that_the_client_left(shop: &Shop) {
    wait_until("the replica says that the client left", async || {
        shop.replicas[0].log().contains("POST /api/orders dropped, its client left")
    })
    .await;
}

async fn nothing_came_of_it(shop: &Shop) {
    let waited = std::time::Instant::now();
    wait_until("nothing of it is left", async || !shop.works_in_the_database().await).await;
    assert!(waited.elapsed() < Duration::from_secs(2), "{:?}", waited.elapsed());
    assert_eq!((shop.order_count().await, shop.stock().await), (0, 1));
}
