//! The bulkhead: of many buyers who wait for one lock, a replica has two in PostgreSQL.

use flash_sale_testbed::testing::{SideConnection, wait_until};
use futures::future::join_all;
use uuid::Uuid;

use crate::Shop;

const THAT_WAIT_AT_THE_BULKHEAD: [&str; 4] =
    ["pessimistic", "no_key_update", "advisory_lock", "single_statement"];
const BUYERS: usize = 12;
/// Connections of the replica.
const POOL: u32 = 4;

#[tokio::test]
async fn of_many_buyers_two_wait_in_postgresql_and_pages_are_answered() {
    let shop = open().await;
    for strategy in THAT_WAIT_AT_THE_BULKHEAD {
        let product = shop.product_for(strategy, 5).await;
        let side = hold(&shop, product).await;
        let buyers = tokio::spawn(join_all((0..BUYERS).map(|_| shop.buy_by(strategy, 0, product))));
        wait_until("two buyers wait", async || side.waiting_statements().await.len() == 2).await;
        shop.everybody_has_come().await;

        assert_eq!(side.waiting_statements().await.len(), 2, "{strategy}");
        assert_eq!(shop.get("/api/products").await.status, 200, "{strategy}");
        side.rollback().await;

        let answers = buyers.await.unwrap();
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 5, "{strategy}");
        for late in answers.iter().filter(|answer| answer.status != 200) {
            late.assert_problem(400, "Out of stock");
        }
        assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (5, 0), "{strategy}");
    }
}

#[tokio::test]
async fn whoever_leaves_the_bulkhead_buys_nothing_and_the_next_one_moves_up() {
    let shop = open().await;
    let product = shop.product_for("pessimistic", 5).await;
    let side = hold(&shop, product).await;
    let buy = || tokio::spawn(shop.buy_by("pessimistic", 0, product));
    let inside = [buy(), buy()];
    wait_until("two buyers wait", async || side.waiting_statements().await.len() == 2).await;
    let leaves = buy();
    shop.everybody_has_come().await;
    let stays = buy();
    shop.everybody_has_come().await;

    leaves.abort();
    assert!(leaves.await.is_err_and(|error| error.is_cancelled()));
    side.rollback().await;

    for buyer in inside.into_iter().chain([stays]) {
        assert_eq!(buyer.await.unwrap().status, 200);
    }
    assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (3, 2));
}

/// Those who have a place and no connection, and those who have a connection and no place, would wait for each other.
#[tokio::test]
async fn nobody_who_has_a_connection_waits_at_the_bulkhead() {
    let shop = open().await;
    for other in ["atomic_update", "check_constraint", "single_statement"] {
        let product = shop.product_for("check_constraint", 20).await;
        let side = hold(&shop, product).await;
        let mut buyers = Vec::new();
        for strategy in ["pessimistic", "pessimistic", other, other, other] {
            let key = Uuid::new_v4().to_string();
            buyers.push(tokio::spawn(shop.buy_by(strategy, 0, product)));
            buyers.push(tokio::spawn(shop.buy_once(Some(strategy), 0, product, &key)));
            shop.everybody_has_come().await;
        }

        side.rollback().await;

        for buyer in buyers {
            let answer = buyer.await.unwrap();
            assert_eq!(answer.status, 200, "{other}: {}", answer.body);
        }
    }
}

async fn open() -> Shop {
    Shop::open_with(1, |settings| {
        settings.race_window_ms = 0;
        settings.database_pool_size = POOL;
    })
    .await
}

/// Holds what the strategies lock, until it is rolled back.
async fn hold(shop: &Shop, product: Uuid) -> SideConnection {
    let side = shop.side_connection().await;
    side.begin().await;
    side.execute(&format!("SELECT pg_advisory_xact_lock(hashtextextended('{product}', 0))")).await;
    side.lock_product(product).await;
    side
}
