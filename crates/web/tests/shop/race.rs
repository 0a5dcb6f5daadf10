//! Two purchases of the last copy, made to meet: both are held at the product's row until both wait there.
//! What they wait in says whether the tree is as it was shipped or the learner has fixed it, and each must
//! then end as it should. The tests pass before and after the fix.

use flash_sale_testbed::testing::{TestDatabase, wait_until};
use futures::future::join;

use crate::{Answer, Shop};
use sea_orm::ConnectionTrait;

/// What the two purchases waited in.
#[derive(Debug, PartialEq)]
enum Purchase {
    /// In the insert of the order: the check is behind them, nobody stopped them there.
    ChecksWithoutLock,
    /// In the read that they decide on.
    LocksThenChecks,
    /// In something else: a way of the learner's own.
    Other,
}

#[tokio::test]
async fn two_replicas_end_as_their_read_of_the_stock_lets_them() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 0).await;

    let (purchase, answers) = meet_at_the_row(&shop, [0, 1]).await;

    assert_outcome(&shop, &purchase, &answers).await;
    if purchase == Purchase::ChecksWithoutLock {
        let replicas: String =
            shop.one("SELECT string_agg(served_by, ' ' ORDER BY served_by) FROM orders").await;
        assert_eq!(replicas, "replica-1 replica-2", "each has sold the one copy");
    }
}

#[tokio::test]
async fn one_replica_alone_does_the_same() {
    let shop = Shop::open_with(1, |settings| settings.race_window_ms = 0).await;

    let (purchase, answers) = meet_at_the_row(&shop, [0, 0]).await;

    assert_outcome(&shop, &purchase, &answers).await;
}

/// What the exercise relies on is asked for: its outcome is not the server's to choose.
#[tokio::test]
async fn a_server_that_is_serializable_by_default_changes_nothing() {
    let database = TestDatabase::create().await;
    let name = database.url.rsplit('/').next().unwrap().split('?').next().unwrap();
    let set = format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'");
    database.connection.execute_unprepared(&set).await.unwrap();
    let shop = Shop::on(database, 2, |settings| settings.race_window_ms = 0).await;

    let (purchase, answers) = meet_at_the_row(&shop, [0, 1]).await;

    assert_outcome(&shop, &purchase, &answers).await;
}

#[tokio::test]
async fn the_payment_keeps_the_purchase_open_for_the_whole_race_window() {
    let shop = Shop::open_with(1, |settings| settings.race_window_ms = 300).await;
    let book = shop.book().await;

    let begun = std::time::Instant::now();
    let answer = shop.buy_on(0, book).await;

    assert_eq!(answer.status, 200);
    assert!(begun.elapsed().as_millis() >= 300, "{:?}", begun.elapsed());
}

/// Holds the row, has two purchases run into it, and lets go when both wait.
async fn meet_at_the_row(shop: &Shop, replicas: [usize; 2]) -> (Purchase, [Answer; 2]) {
    let book = shop.book().await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(book).await;
    let purchases = join(shop.buy_on(replicas[0], book), shop.buy_on(replicas[1], book));
    let purchases = tokio::spawn(purchases);

    wait_until("both purchases wait for the row", async || side.waiting_statements().await.len() == 2).await;
    let waiting = side.waiting_statements().await;
    side.commit().await;

    let (first, second) = purchases.await.unwrap();
    let all = |test: fn(&str) -> bool| waiting.iter().all(|statement| test(statement));
    let purchase = if all(|sql| sql.starts_with("INSERT INTO \"orders\"")) {
        Purchase::ChecksWithoutLock
    } else if all(|sql| sql.starts_with("SELECT") && sql.ends_with("FOR UPDATE")) {
        Purchase::LocksThenChecks
    } else {
        Purchase::Other
    };
    (purchase, [first, second])
}

async fn assert_outcome(shop: &Shop, purchase: &Purchase, answers: &[Answer; 2]) {
    let sold = answers.iter().filter(|answer| answer.status == 200).count() as i64;
    let (orders, stock) = (shop.order_count().await, i64::from(shop.stock().await));

    assert_eq!(orders, sold, "each sale that was confirmed has its order, and no other has");
    assert_eq!(1 - orders, stock, "each order has taken its copy");
    match purchase {
        Purchase::ChecksWithoutLock => assert_eq!((orders, stock), (2, -1)),
        Purchase::LocksThenChecks => {
            assert_eq!((orders, stock), (1, 0));
            let refused = answers.iter().find(|answer| answer.status != 200).unwrap();
            refused.assert_problem(400, "Out of stock");
        }
        Purchase::Other => {}
    }
}
