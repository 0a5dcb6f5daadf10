//! nginx/nginx.conf, the load balancer of the containers, run by this machine's nginx.

mod fake_replica;
pub mod process;

use fake_replica::FakeReplica;
use flash_sale_lab::testing::wait_until;
use process::Nginx;
use serde_json::json;

use crate::checkout::attempts;
use crate::{Shop, new_client, read};

/// With a race window that is long enough for the second request to be sent, and no longer.
async fn open_behind_nginx() -> Option<(Shop, Nginx)> {
    let nginx = Nginx::reserve_port()?;
    let shop = Shop::open_with(2, |settings| {
        settings.race_window_ms = 20;
        settings.retry_after_ms = 5;
        settings.order_api_url = Some(format!("{}/api/orders", nginx.url));
    })
    .await;
    let nginx = nginx.start([shop.replicas[0].port, shop.replicas[1].port]).await;
    Some((shop, nginx))
}

#[tokio::test]
async fn the_two_requests_of_each_of_a_hundred_clicks_reach_both_replicas() {
    let Some((_shop, nginx)) = open_behind_nginx().await else { return };
    let http = new_client();

    for click in 0..100 {
        let form = |path| http.post(format!("{}{path}", nginx.url)).header("Origin", &nginx.url);
        assert_eq!(read(form("/reset")).await.status, 303);
        let attempts = attempts(&read(form("/buy")).await);

        let mut replicas: Vec<&str> =
            attempts.iter().map(|attempt| attempt["served_by"].as_str().unwrap()).collect();
        replicas.sort_unstable();
        assert_eq!(replicas, ["replica-1", "replica-2"], "click {click}: {attempts:?}");
    }
}

#[tokio::test]
async fn a_killed_replica_is_passed_over() {
    let Some((mut shop, nginx)) = open_behind_nginx().await else { return };
    let (book, http) = (shop.book().await, new_client());
    shop.execute("UPDATE products SET quantity = 1000").await;

    shop.replicas.remove(0).kill().await;

    for request in 0..50 {
        let order = http.post(format!("{}/api/orders", nginx.url));
        let answer = read(order.json(&json!({ "product_id": book }))).await;
        assert_eq!((answer.status.as_u16(), answer.header("X-Served-By")), (200, "replica-2"), "{request}");
    }
    assert_eq!((shop.order_count().await, shop.stock().await), (50, 950));
}

#[tokio::test]
async fn a_replica_that_comes_back_gets_its_turn_again() {
    let Some(nginx) = Nginx::reserve_port() else { return };
    let mut replicas = [FakeReplica::refusing(), FakeReplica::refusing()];
    replicas[0].answer();
    let nginx = nginx.start([replicas[0].port, replicas[1].port]).await;
    for _ in 0..4 {
        assert_eq!(nginx.get("/").await.status, 200);
    }

    replicas[1].answer();

    wait_until("both are asked", async || {
        assert_eq!(nginx.get("/").await.status, 200);
        replicas[1].requests() > 0
    })
    .await;
}

#[tokio::test]
async fn a_post_that_was_sent_is_never_sent_again() {
    let Some(nginx) = Nginx::reserve_port() else { return };
    let mut replicas = [FakeReplica::refusing(), FakeReplica::refusing()];
    replicas.iter_mut().for_each(FakeReplica::hang_up);
    let nginx = nginx.start([replicas[0].port, replicas[1].port]).await;
    let requests = || replicas.iter().map(FakeReplica::requests).sum::<usize>();

    let post = read(new_client().post(format!("{}/api/orders", nginx.url)).body("{}")).await;

    let detail =
        "Whether this was carried out is not known: the answer was lost. The same Idempotency-Key settles it";
    post.assert_problem(503, detail);
    assert_eq!(post.json()["outcome"], "unknown");
    assert!(!post.headers.contains_key("Retry-After"));
    assert_eq!(requests(), 1);

    // The one that failed is passed over for a second; after it, a GET is sent to both.
    wait_until("a GET was tried on both", async || {
        let before = requests();
        nginx.get("/").await;
        requests() == before + 2
    })
    .await;
}

#[tokio::test]
async fn its_own_refusals_have_the_form_of_the_shops() {
    let Some((shop, nginx)) = open_behind_nginx().await else { return };
    let http = new_client();
    let post = |length: usize| http.post(format!("{}/api/orders", nginx.url)).body(vec![b' '; length]);

    // What nginx lets pass the shop refuses, and its words arrive although it doesn't read to the end.
    for _ in 0..20 {
        let by_shop = read(post(1_000_000)).await;
        by_shop.assert_problem(413, "The body is longer than 64 KiB");
        assert!(by_shop.header("X-Served-By").starts_with("replica-"));
    }
    let by_nginx = read(post(1_100_000)).await;
    by_nginx.assert_problem(413, "The body is longer than 64 KiB");
    assert!(!by_nginx.headers.contains_key("X-Served-By"));

    for replica in shop.replicas {
        replica.kill().await;
    }
    // Also while nginx passes over both of them and tries none.
    for _ in 0..4 {
        let by_nobody = nginx.get("/").await;
        by_nobody.assert_problem(503, "No replica is running");
        assert_eq!(by_nobody.header("Retry-After"), "1");
        assert!(by_nobody.json().get("outcome").is_none());
    }
}
