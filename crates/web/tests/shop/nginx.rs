//! nginx/nginx.conf, the load balancer of the containers, run by this machine's nginx.

mod fake_replica;
pub mod process;

use std::fs;
use std::path::Path;
use std::time::Duration;

use fake_replica::FakeReplica;
use flash_sale_core::limits::{BODY_TIMEOUT, LONGEST_BODY};
use flash_sale_gateway::limits::{
    GATEWAY_ANSWER_TIMEOUT, GATEWAY_HEAD_TIMEOUT, GATEWAY_IDLE_TIMEOUT, GATEWAY_LINGER_TIMEOUT,
    GATEWAY_WRITE_TIMEOUT, LONGEST_HEAD,
};
use flash_sale_testbed::testing::wait_until;
use process::Nginx;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

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

    let detail = "The answer was lost, so the outcome is unknown. If the request had an Idempotency-Key, send it again \
                  with the same key";
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

/// nginx passes a body on as it comes, so that it may meet a replica's end in the middle of one.
#[tokio::test]
async fn a_post_whose_body_is_still_to_come_is_sent_once_to_a_replica_that_accepts_it() {
    let Some(nginx) = Nginx::reserve_port() else { return };
    let mut replicas = [FakeReplica::refusing(), FakeReplica::refusing()];
    let nginx = nginx.start([replicas[0].port, replicas[1].port]).await;
    let address = nginx.url.trim_start_matches("http://");
    let head =
        "POST /api/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n";
    let begin = async || {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(head.as_bytes()).await.unwrap();
        client
    };
    let end = async |mut client: TcpStream| {
        let mut answer = String::new();
        timeout(Duration::from_secs(10), client.read_to_string(&mut answer)).await.expect("an end").unwrap();
        answer
    };

    let by_nobody = end(begin().await).await;
    assert!(
        by_nobody.starts_with("HTTP/1.1 503 ") && by_nobody.contains("No replica is running"),
        "{by_nobody}"
    );
    assert!(by_nobody.contains("Retry-After: 1"), "{by_nobody}");

    // One that refuses is passed over, whosever turn it is.
    replicas[1].answer();
    wait_until("nginx tries it again", async || nginx.get("/").await.status == 200).await;
    for _ in 0..4 {
        let before = replicas[1].requests();
        let mut client = begin().await;
        wait_until("its head has arrived", async || replicas[1].requests() == before + 1).await;
        client.write_all(b"{}").await.unwrap();
        let answer = end(client).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    replicas[0].hang_up();
    wait_until("one is sent to the replica that hangs up", async || {
        let before = replicas.each_ref().map(FakeReplica::requests);
        let answer = end(begin().await).await;
        let sent: usize =
            replicas.iter().map(FakeReplica::requests).sum::<usize>() - before.iter().sum::<usize>();
        assert_eq!(sent, 1, "{answer}");
        let is_unknown = answer.starts_with("HTTP/1.1 503 ") && answer.contains(r#""outcome":"unknown""#);
        assert_eq!(is_unknown, replicas[0].requests() > before[0], "{answer}");
        is_unknown
    })
    .await;
}

/// What each of these limits does is tested in `raw_http/front_doors.rs`, but for those that take longer than a test may.
#[test]
fn its_limits_are_those_of_the_labs_gateway() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nginx/nginx.conf");
    let configuration = fs::read_to_string(path).unwrap();
    let seconds = |limit: Duration| format!("{}s", limit.as_secs());
    let kib = |bytes: usize| format!("{}k", bytes / 1024);

    for (directive, value) in [
        ("client_header_timeout", seconds(GATEWAY_HEAD_TIMEOUT)),
        ("client_body_timeout", seconds(BODY_TIMEOUT)),
        ("client_max_body_size", kib(LONGEST_BODY)),
        ("large_client_header_buffers", format!("1 {}", kib(LONGEST_HEAD))),
        ("keepalive_timeout", seconds(GATEWAY_IDLE_TIMEOUT)),
        ("send_timeout", seconds(GATEWAY_WRITE_TIMEOUT)),
        ("lingering_timeout", seconds(GATEWAY_LINGER_TIMEOUT)),
        ("lingering_time", seconds(GATEWAY_LINGER_TIMEOUT)),
        ("proxy_read_timeout", seconds(GATEWAY_ANSWER_TIMEOUT)),
        ("proxy_request_buffering", "off".to_owned()),
    ] {
        let directive = format!("{directive} ");
        let lines = configuration.lines().filter_map(|line| line.trim().strip_prefix(&directive));
        assert_eq!(lines.collect::<Vec<_>>(), [format!("{value};")], "{directive}");
    }
}

#[tokio::test]
async fn its_own_refusals_have_the_form_of_the_shops() {
    let Some((shop, nginx)) = open_behind_nginx().await else { return };
    let http = new_client();
    let post = |length: usize| http.post(format!("{}/api/orders", nginx.url)).body(vec![b' '; length]);

    // Its words arrive although it doesn't read to the end.
    for _ in 0..20 {
        let too_long = read(post(1_000_000)).await;
        too_long.assert_problem(413, "The body is longer than 64 KiB");
        assert!(!too_long.headers.contains_key("X-Served-By"));
    }

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
