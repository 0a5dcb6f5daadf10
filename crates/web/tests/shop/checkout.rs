//! Buy Now's checkout client, through the gateway as in life: answered in time, it sends one request; answered
//! late, it sends a second one, to the other replica.

use flash_sale_gateway::{self as gateway, Gateway};
use flash_sale_testbed::testing::{SideConnection, wait_until};
use serde_json::Value;
use uuid::Uuid;

use crate::{Answer, Shop, new_client, read};

#[tokio::test]
async fn an_answer_in_time_needs_one_request() {
    let (shop, gateway, url) = open_behind_gateway(5_000).await;

    let attempts = attempts(&read(new_client().post(format!("{url}/buy"))).await);

    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0]["status"], "200 OK");
    assert_eq!((shop.order_count().await, shop.stock().await), (1, 0));
    gateway.close().await;
}

#[tokio::test]
async fn a_late_answer_needs_two_requests_and_they_go_to_two_replicas() {
    let (shop, gateway, url) = open_behind_gateway(50).await;
    let side = SideConnection::open(&shop.database.url).await;
    side.begin().await;
    side.lock_product(shop.book().await).await;
    let click =
        tokio::spawn(read(new_client().post(format!("{url}/buy")).header("X-Request-Id", "one-click")));

    wait_until("both requests wait", async || side.waiting_statements().await.len() == 2).await;
    side.commit().await;

    let attempts = attempts(&click.await.unwrap());
    let served_by = |attempt: &Value| attempt["served_by"].as_str().unwrap().to_owned();
    let mut replicas: Vec<String> = attempts.iter().map(served_by).collect();
    replicas.sort();
    assert_eq!(replicas, ["replica-1", "replica-2"]);
    assert_eq!(attempts[0]["sent_at_ms"], 0);
    assert!(attempts[1]["sent_at_ms"].as_u64().unwrap() >= 50);
    let sold = attempts.iter().filter(|attempt| attempt["status"] == "200 OK").count() as i64;
    assert_eq!((shop.order_count().await, i64::from(shop.stock().await)), (sold, 1 - sold));
    for replica in &shop.replicas {
        let log = replica.log();
        let order = log.lines().find(|line| line.contains("POST /api/orders")).unwrap();
        assert!(order.ends_with("one-click"), "both carry the click's id: {order}");
    }
    gateway.close().await;
}

#[tokio::test]
async fn with_a_key_two_requests_of_a_click_are_one_purchase() {
    let (shop, gateway, url) = open_behind_gateway_with(50, true).await;
    shop.execute("UPDATE products SET quantity = 5").await;
    let side = SideConnection::open(&shop.database.url).await;
    side.begin().await;
    side.lock_product(shop.book().await).await;
    let click = tokio::spawn(read(new_client().post(format!("{url}/buy"))));

    let copy_refused = || shop.replicas.iter().any(|replica| replica.log().contains("POST /api/orders 409"));
    wait_until("the copy is refused", async || copy_refused()).await;
    side.commit().await;

    let attempts = attempts(&click.await.unwrap());
    let mut statuses: Vec<&str> =
        attempts.iter().map(|attempt| attempt["status"].as_str().unwrap()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["200 OK", "409 Conflict"]);
    assert_eq!((shop.order_count().await, shop.stock().await), (1, 4));
    let key: Uuid = shop.one::<String>("SELECT key FROM idempotency_keys").await.parse().unwrap();
    assert_eq!(key.get_version_num(), 4, "a key is random: nobody can guess it");

    let again = read(new_client().post(format!("{url}/buy"))).await;
    assert_eq!(self::attempts(&again)[0]["status"], "200 OK");
    assert_eq!((shop.order_count().await, shop.stock().await), (2, 3), "another click is another purchase");
    gateway.close().await;
}

/// Two replicas behind the lab's gateway, whose orders go through it again.
async fn open_behind_gateway(retry_after_ms: u64) -> (Shop, Gateway, String) {
    open_behind_gateway_with(retry_after_ms, false).await
}

async fn open_behind_gateway_with(retry_after_ms: u64, sends_key: bool) -> (Shop, Gateway, String) {
    let listener = gateway::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gateway = Gateway::start(listener, 2).unwrap();
    let shop = Shop::open_with(2, |settings| {
        settings.race_window_ms = 0;
        settings.retry_after_ms = retry_after_ms;
        settings.order_api_url = Some(format!("{url}/api/orders"));
        let key = ("RETRY_WITH_IDEMPOTENCY_KEY".to_owned(), sends_key.to_string());
        settings.variables = vec![key];
    })
    .await;
    for (index, replica) in shop.replicas.iter().enumerate() {
        gateway.set_replica(index, Some(([127, 0, 0, 1], replica.port).into()));
    }
    (shop, gateway, url)
}

/// What the page will say of each request: the notice in the cookie.
#[track_caller]
pub fn attempts(click: &Answer) -> Vec<Value> {
    assert_eq!(click.status, 303, "{}", click.body);
    let cookie = click.header("set-cookie").split(';').next().unwrap().split_once('=').unwrap().1;
    let json = form_urlencoded::parse(format!("notice={cookie}").as_bytes()).next().unwrap().1.into_owned();
    let notice: Value = serde_json::from_str(&json).unwrap();
    notice["Bought"].as_array().unwrap().clone()
}
