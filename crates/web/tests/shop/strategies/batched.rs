//! The queue of `batched`: bounded, honest when a batch fails, and empty before the replica ends.

use flash_sale_testbed::testing::{SideConnection, wait_until};
use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::{Shop, new_client, read};

#[tokio::test]
async fn buyers_are_answered_after_the_commit_and_not_before() {
    let (shop, side, product) = held_product(100).await;
    let buyers = queue_up(&shop, product, 20).await;
    wait_until("a batch waits", async || side.waiting_statements().await.len() == 1).await;

    assert!(buyers.iter().all(|buyer| buyer.try_read(&mut [0]).is_err()), "nobody is answered yet");
    side.commit().await;

    assert_eq!(join_all(buyers.into_iter().map(status)).await, [200; 20]);
    assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (20, 80));
    let transactions: i64 = shop.one("SELECT count(DISTINCT xmin::text) FROM orders").await;
    assert_eq!(transactions, 2, "the first buyer alone, then all who had come meanwhile");
}

#[tokio::test]
async fn everyone_in_a_failed_batch_is_told_and_the_next_batch_sells() {
    let (shop, side, product) = held_product(100).await;
    let first = tokio::spawn(shop.buy_by("batched", 0, product));
    wait_until("a batch waits", async || side.waiting_statements().await.len() == 1).await;
    let others = queue_up(&shop, product, 10).await;

    let end = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
               WHERE wait_event_type = 'Lock' AND datname = current_database()";
    assert_eq!(shop.one::<i64>(end).await, 1);
    first.await.unwrap().assert_problem(503, "The database is away or too busy. Try again");
    side.commit().await;

    assert_eq!(join_all(others.into_iter().map(status)).await, [200; 10]);
    assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (10, 90));
}

#[tokio::test]
async fn a_replica_serves_its_queue_before_it_ends() {
    let (mut shop, side, product) = held_product(5).await;
    let buyers = queue_up(&shop, product, 10).await;
    wait_until("a batch waits", async || side.waiting_statements().await.len() == 1).await;

    shop.replicas[0].terminate();
    let address = ("127.0.0.1", shop.replicas[0].port);
    wait_until("it takes no new connection", async || TcpStream::connect(address).await.is_err()).await;
    side.commit().await;

    let answers = join_all(buyers.into_iter().map(status)).await;
    assert_eq!(answers, [200, 200, 200, 200, 200, 400, 400, 400, 400, 400], "in the order they came");
    assert!(shop.replicas[0].wait().await.success());
    assert_eq!((shop.order_count().await, shop.one("SELECT min(quantity) FROM products").await), (5, 0));
}

#[tokio::test]
async fn a_line_about_a_batch_names_each_of_its_requests() {
    let shop = Shop::open_with(1, |settings| {
        settings.race_window_ms = 0;
        settings.variables.push(("RUST_LOG".to_owned(), "info,sqlx=debug".to_owned()));
    })
    .await;
    let (side, product) = hold_product(&shop, 100).await;
    let opener = tokio::spawn(shop.buy_by("batched", 0, product));
    wait_until("a batch waits", async || side.waiting_statements().await.len() == 1).await;
    let buyers = queue_up(&shop, product, 3).await;
    // Their payments take no time, but that too: the replica, which is one thread, is done with them before.
    for _ in 0..10 {
        assert_eq!(shop.get("/health").await.status, 200);
    }

    side.commit().await;

    assert_eq!(opener.await.unwrap().status, 200);
    assert_eq!(join_all(buyers.into_iter().map(status)).await, [200; 3]);
    let log = shop.replicas[0].log();
    let end = format!("(replica-1, requests buyer-0 buyer-1 buyer-2, product {product})");
    assert_eq!(log.lines().filter(|line| line.ends_with(&end)).count(), 1, "their one statement: {log}");
}

/// A shop, and a side connection that holds the row of a product of it.
async fn held_product(stock: i32) -> (Shop, SideConnection, Uuid) {
    let shop = Shop::open().await;
    let (side, product) = hold_product(&shop, stock).await;
    (shop, side, product)
}

async fn hold_product(shop: &Shop, stock: i32) -> (SideConnection, Uuid) {
    let product = shop.product_for("batched", stock).await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(product).await;
    (side, product)
}

/// So many buyers, from `buyer-0` on, who stand in the queue, in this order, when it returns.
async fn queue_up(shop: &Shop, product: Uuid, count: usize) -> Vec<TcpStream> {
    let body = format!(r#"{{"product_id":"{product}","strategy":"batched"}}"#);
    let request =
        format!("Host: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut buyers = Vec::new();
    for number in 0..count {
        let request = format!("POST /api/orders HTTP/1.1\r\nX-Request-Id: buyer-{number}\r\n{request}");
        let mut buyer = TcpStream::connect(("127.0.0.1", shop.replicas[0].port)).await.unwrap();
        buyer.write_all(request.as_bytes()).await.unwrap();
        buyers.push(buyer);
        // The replica is one thread: a later request is answered, so this one has been read.
        assert_eq!(read(new_client().get(format!("{}/health", shop.replicas[0].url))).await.status, 200);
    }
    buyers
}

/// The answer's status.
async fn status(mut buyer: TcpStream) -> u16 {
    let mut answer = String::new();
    buyer.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}
