//! More than a replica can do: it says so at once, and does the rest.

use std::time::{Duration, Instant};

use flash_sale_core::limits::MOST_REQUESTS;
use flash_sale_testbed::open_files;
use flash_sale_testbed::testing::wait_until;
use futures::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::Shop;

#[tokio::test]
async fn whoever_comes_on_top_of_what_a_replica_can_work_on_is_told_at_once() {
    open_files::raise();
    let shop = Shop::open_with(1, |settings| settings.race_window_ms = 3000).await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(shop.book().await).await;
    // Each waits for its payment, and then for the row.
    let body = format!(r#"{{"product_id":"{}","strategy":"batched"}}"#, shop.book().await);
    let head =
        format!("POST /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n", body.len());
    let begin = || async {
        let mut client = TcpStream::connect(("127.0.0.1", shop.replicas[0].port)).await.unwrap();
        client.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        client
    };
    let waiting = join_all((0..MOST_REQUESTS).map(|_| begin())).await;

    wait_until("the last one is told", async || shop.get("/api/strategies").await.status == 503).await;
    let begun = Instant::now();
    let refused = shop.get("/api/strategies").await;
    refused.assert_problem(503, "Too many requests are being worked on. Try again");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(shop.get("/health").await.status, 200);

    drop(waiting);
    wait_until("it works again", async || shop.get("/api/strategies").await.status == 200).await;
}
