//! SIGTERM: what is in flight is answered, nothing new is taken.

use flash_sale_testbed::testing::wait_until;
use tokio::net::TcpStream;

use crate::{Shop, new_client, read};

#[tokio::test]
async fn a_purchase_in_flight_is_answered_before_the_replica_ends() {
    let mut shop = Shop::open().await;
    let book = shop.book().await;
    // A connection to the database is there already, opened for a client that has gone. It must not go with the
    // thread that served that client.
    let url = format!("{}/api/products", shop.replicas[0].url);
    assert_eq!(read(new_client().get(url)).await.status, 200);
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(book).await;
    let purchase = tokio::spawn(shop.buy_on(0, book));
    wait_until("the purchase waits", async || side.waiting_statements().await.len() == 1).await;

    shop.replicas[0].terminate();
    let address = ("127.0.0.1", shop.replicas[0].port);
    wait_until("it takes no new connection", async || TcpStream::connect(address).await.is_err()).await;
    side.commit().await;

    let answer = purchase.await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(shop.replicas[0].wait().await.success());
    assert_eq!((shop.order_count().await, shop.stock().await), (1, 0));
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let mut shop = Shop::open().await;
    assert_eq!(shop.get("/health").await.status, 200);

    let begun = std::time::Instant::now();
    shop.replicas[0].terminate();

    assert!(shop.replicas[0].wait().await.success());
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}
