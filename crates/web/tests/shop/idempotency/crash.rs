//! A replica is killed (kill -9) in the middle of a purchase, and the buyer retries with the same key on the
//! other one: there is exactly one order, and the retry is told of it.

use std::path::Path;
use std::time::Duration;

use flash_sale_testbed::testing::{Replica, ReplicaSettings, SideConnection, wait_until};
use serde_json::json;
use uuid::Uuid;

use crate::{Answer, SHOP, Shop, read};

/// When the replica dies.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Before it knows whether the key is new.
    InTheClaim,
    /// The key is claimed, the purchase has begun.
    InThePurchase,
    /// The purchase is made, its answer not yet stored.
    BeforeTheRecord,
    /// All is done but COMMIT, which PostgreSQL has received: it will commit.
    InTheCommit,
    /// So many milliseconds after the request was sent.
    After(u64),
}

use Moment::{After, BeforeTheRecord, InTheClaim, InTheCommit, InThePurchase};

#[tokio::test]
async fn a_purchase_is_made_once_whenever_its_replica_dies() {
    let ways = [None, Some("pessimistic"), Some("batched"), Some("reservation")];
    let moments = [InTheClaim, InThePurchase, BeforeTheRecord, InTheCommit];
    kill_and_retry(ways.iter().flat_map(|way| moments.map(|moment| (*way, moment)))).await;
}

/// A quarter of a minute. Run it with `cargo test --workspace --test shop a_hundred_times -- --ignored`.
#[tokio::test]
#[ignore = "kills a hundred replicas"]
async fn a_purchase_is_made_once_whenever_its_replica_dies_a_hundred_times() {
    let ways = [None, Some("pessimistic"), Some("serializable"), Some("batched"), Some("reservation")];
    let gates = [InTheClaim, InThePurchase, BeforeTheRecord, InTheCommit];
    let moments = || gates.into_iter().chain((0..16).map(|step| After(step * 4)));
    kill_and_retry(ways.iter().flat_map(|way| moments().map(|moment| (*way, moment)))).await;
}

async fn kill_and_retry(kills: impl Iterator<Item = (Option<&str>, Moment)>) {
    let shop = Shop::open_with(1, |settings| {
        settings.race_window_ms = 3;
        // The hold of a replica that has died is swept by this one. Until then, its key is in flight.
        settings.variables.push(("HOLD_SWEEP_MS".to_owned(), "20".to_owned()));
    })
    .await;
    // At COMMIT, an order of a product waits for whoever holds the product's number.
    shop.execute(
        "CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM pg_advisory_xact_lock(7, hashtext(NEW.product_id::text));
             RETURN NULL;
         END $$",
    )
    .await;
    shop.execute(
        "CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION wait_at_commit()",
    )
    .await;
    let side = shop.side_connection().await;

    for (strategy, moment) in kills {
        kill_once(&shop, &side, strategy, moment).await;
    }
}

async fn kill_once(shop: &Shop, side: &SideConnection, strategy: Option<&str>, moment: Moment) {
    let product = shop.product_for(strategy.unwrap_or("exercise"), 5).await;
    let key = Uuid::new_v4().to_string();
    let mut settings = ReplicaSettings::new(&shop.database.shop_url);
    settings.name = "mortal".to_owned();
    settings.race_window_ms = 3;
    settings.variables.push(("HOLD_MS".to_owned(), "1000".to_owned()));
    let mortal = Replica::start(Path::new(SHOP), settings).await;
    let request = shop
        .http
        .post(format!("{}/api/orders", mortal.url))
        .header("Idempotency-Key", &key)
        .json(&json!({ "product_id": product, "strategy": strategy }));

    side.begin().await;
    match moment {
        InTheClaim => side.execute("LOCK TABLE idempotency_keys IN ACCESS EXCLUSIVE MODE").await,
        InThePurchase => side.lock_product(product).await,
        BeforeTheRecord => side.execute("LOCK TABLE idempotency_keys IN SHARE MODE").await,
        InTheCommit => {
            side.execute(&format!("SELECT pg_advisory_xact_lock(7, hashtext('{product}'))")).await;
        }
        After(_) => {}
    }
    let purchase = tokio::spawn(async move { request.send().await.is_ok() });
    match moment {
        After(milliseconds) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
        _ => wait_until("the purchase is there", async || a_purchase_waits(side).await).await,
    }
    mortal.kill().await;
    side.commit().await;
    let was_answered = purchase.await.unwrap();
    assert!(!was_answered || matches!(moment, After(_)), "{strategy:?} {moment:?}");

    let told = retry(shop, strategy, product, &key).await;

    let id = told.json()["id"].as_str().unwrap().to_owned();
    let orders = format!("SELECT string_agg(id::text, ' ') FROM orders WHERE product_id = '{product}'");
    assert_eq!(shop.one::<String>(&orders).await, id, "{strategy:?} {moment:?}");
    assert_eq!(shop.stock_of(product).await, 4, "{strategy:?} {moment:?}");
    assert_eq!(retry(shop, strategy, product, &key).await.body, told.body);
    if matches!(moment, InTheCommit) {
        assert_eq!(told.json()["served_by"], "mortal", "it was committed before");
    }
}

/// A replica that starts deletes expired keys, and may wait at the same gate.
async fn a_purchase_waits(side: &SideConnection) -> bool {
    side.waiting_statements().await.iter().any(|statement| !statement.starts_with("DELETE"))
}

/// As a buyer's program would: again as long as the first request is in flight.
async fn retry(shop: &Shop, strategy: Option<&str>, product: Uuid, key: &str) -> Answer {
    loop {
        let url = format!("{}/api/orders", shop.replicas[0].url);
        let body = json!({ "product_id": product, "strategy": strategy });
        let answer = read(shop.http.post(url).header("Idempotency-Key", key).json(&body)).await;
        if answer.status == 200 {
            return answer;
        }
        assert_eq!(answer.status, 409, "{strategy:?}: {}", answer.body);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
