//! Many buyers at once, over both replicas: nothing is sold twice, nothing is left, and every answer is true.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::join_all;
use uuid::Uuid;

use super::THAT_DO_NOT_OVERSELL;
use crate::{Answer, Shop};

const STOCK: usize = 10;
/// A buyer who is told to come again does, until then.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn sixty_buyers_get_ten_copies_when_payments_take_no_time() {
    sell_to_a_crowd(60, 0, false).await;
}

#[tokio::test]
async fn sixty_buyers_get_ten_copies_when_payments_take_5_ms() {
    sell_to_a_crowd(60, 5, false).await;
}

#[tokio::test]
async fn sixty_buyers_with_a_key_each_get_ten_copies() {
    sell_to_a_crowd(60, 2, true).await;
}

#[tokio::test]
async fn as_many_buyers_as_copies_are_all_served() {
    sell_to_a_crowd(STOCK, 5, false).await;
}

/// Those that lock the row or check within the UPDATE may share a product. `advisory_lock` keeps out only its
/// own.
#[tokio::test]
async fn strategies_do_not_break_one_another() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 2).await;
    let product = shop.product_for("mixed", STOCK as i32).await;
    let apart = ["advisory_lock", "check_constraint", "skip_locked", "stock_buckets"];
    let mixed = THAT_DO_NOT_OVERSELL.into_iter().filter(|name| !apart.contains(name));
    let mixed: Vec<&str> = mixed.cycle().take(64).collect();

    let buyers = mixed.iter().enumerate();
    let answers =
        join_all(buyers.map(|(number, strategy)| buy(&shop, strategy, number, product, false))).await;

    assert_sold_out(&shop, "mixed", product, &answers).await;
}

async fn sell_to_a_crowd(buyers: usize, race_window_ms: u64, with_keys: bool) {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = race_window_ms).await;
    for strategy in THAT_DO_NOT_OVERSELL {
        let product = shop.product_for(strategy, STOCK as i32).await;

        let answers =
            join_all((0..buyers).map(|number| buy(&shop, strategy, number, product, with_keys))).await;

        assert_sold_out(&shop, strategy, product, &answers).await;
    }
}

/// As a buyer's program would: comes again when told to. The tests don't wait for the whole second.
async fn buy(shop: &Shop, strategy: &str, number: usize, product: Uuid, with_key: bool) -> Answer {
    let key = Uuid::new_v4().to_string();
    let begun = Instant::now();
    loop {
        let answer = if with_key {
            shop.buy_once(Some(strategy), number % 2, product, &key).await
        } else {
            shop.buy_by(strategy, number % 2, product).await
        };
        if ![409, 503].contains(&answer.status.as_u16()) || begun.elapsed() > PATIENCE {
            return answer;
        }
        assert_eq!(answer.header("retry-after"), "1", "{strategy}");
        tokio::time::sleep(Duration::from_millis(number as u64 % 10 + 2)).await;
    }
}

async fn assert_sold_out(shop: &Shop, strategy: &str, product: Uuid, answers: &[Answer]) {
    let mut sold = BTreeSet::new();
    for answer in answers {
        match answer.status.as_u16() {
            200 => assert!(sold.insert(answer.json()["id"].as_str().unwrap().to_owned()), "{strategy}"),
            400 => answer.assert_problem(400, "Out of stock"),
            _ => panic!("{strategy}: {} {}", answer.status, answer.body),
        }
    }
    let orders: String = shop
        .one(&format!(
            "SELECT coalesce(string_agg(id::text, ' ' ORDER BY id::text), '') FROM orders
             WHERE product_id = '{product}'"
        ))
        .await;
    let orders: Vec<&str> = orders.split_whitespace().collect();
    assert_eq!(
        Vec::from_iter(&sold),
        Vec::from_iter(&orders),
        "{strategy}: a 200 has its order, and no other"
    );
    assert_eq!((orders.len(), shop.stock_of(product).await), (STOCK, 0), "{strategy}");
}
