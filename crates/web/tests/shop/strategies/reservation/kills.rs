//! A replica is killed (kill -9) at each step of a purchase. Another replica sweeps. When the holds have lapsed, each copy
//! is in stock or sold, and none is both.

use super::*;

/// Each statement of a purchase, before PostgreSQL gets it and before its answer arrives. Behind it: whether there is an
/// order then.
const STEPS: [(Which, At, bool); 4] = [
    (TAKE, At::Request, false),
    (TAKE, At::Answer, false),
    (CONFIRM, At::Request, false),
    (CONFIRM, At::Answer, true),
];
const STOCK: i64 = 2;

#[tokio::test]
async fn no_copy_is_lost_or_sold_twice_whenever_a_replica_dies() {
    kill_at_each_step(1).await;
}

/// Half a minute. Run it with `cargo test --workspace --test shop a_replica_dies_a_hundred -- --ignored`.
#[tokio::test]
#[ignore = "kills a hundred replicas"]
async fn no_copy_is_lost_or_sold_twice_when_a_replica_dies_a_hundred_times() {
    kill_at_each_step(25).await;
}

async fn kill_at_each_step(rounds: usize) {
    let (mut shop, line, settings) = Shop::on_a_line(|_| {}).await;
    let mut survivor = ReplicaSettings::new(&shop.database.shop_url);
    survivor.name = "survivor".to_owned();
    survivor.race_window_ms = 0;
    survivor.variables.push(("HOLD_SWEEP_MS".to_owned(), "10".to_owned()));
    shop.replicas.push(Replica::start(Path::new(SHOP), survivor).await);

    for round in 0..rounds {
        for (which, at, leaves_order) in STEPS {
            let case = format!("round {round}, {at:?} of {which:?}");
            let product = shop.product_for(NAME, STOCK as i32).await;
            let mut hold = line.hold(which, at);
            let buyer = tokio::spawn(
                shop.http
                    .post(format!("{}/api/orders", shop.replicas[0].url))
                    .json(&serde_json::json!({ "product_id": product, "strategy": NAME }))
                    .send(),
            );
            reach(&mut hold).await;

            shop.replicas.remove(0).kill().await;
            hold.cut();
            assert!(buyer.await.unwrap().is_err(), "{case}: there can be no answer");
            shop.replicas.insert(0, Replica::start(Path::new(SHOP), settings.clone()).await);
            let sold = i64::from(leaves_order);
            let conserved = async || {
                let rows = (shop.orders_of(product).await, shop.holds_of(product).await);
                shop.stock_of(product).await == STOCK - rows.0 - rows.1
            };
            assert!(conserved().await, "{case}: before the hold lapses");

            shop.execute("UPDATE holds SET expires_at = clock_timestamp()").await;
            wait_until("nothing is held", async || shop.holds_of(product).await == 0).await;
            assert_eq!(
                (shop.orders_of(product).await, shop.stock_of(product).await),
                (sold, STOCK - sold),
                "{case}"
            );
            for number in 0..STOCK - sold {
                let next = shop.buy_by(NAME, number as usize % 2, product).await;
                assert_eq!(next.status, 200, "{case}: {}", next.body);
            }
            shop.buy_by(NAME, 1, product).await.assert_problem(400, "Out of stock");
            assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (STOCK, 0), "{case}");
        }
    }
}
