//! `reservation`: a copy is held while its buyer pays. Here is what buyers are told; `keys` has purchases with a key,
//! `sweeps` the copies of lapsed holds, and `kills` replicas that die.
//!
//! The buyer who pays is stopped at the confirmation, on the line between the replica and PostgreSQL.

mod keys;
mod kills;
mod sweeps;

use std::path::Path;
use std::time::Duration;

use flash_sale_testbed::testing::{Replica, ReplicaSettings, wait_until};
use flash_sale_wiretap::line::{At, Hold, Line, Which};
use futures::future::{join, join_all};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::{Answer, SHOP, Shop};

const NAME: &str = "reservation";
/// The statement that takes a copy and writes the hold.
const TAKE: Which = Which::Saying("WITH taken");
/// The statement that turns the hold into the order.
const CONFIRM: Which = Which::Saying("WITH confirmed");
const ALL_HELD: &str = "Other buyers are paying for the last copies. Try again: a copy may come back";
const LAPSED: &str = "The hold on your copy has lapsed before your payment was confirmed. Nothing was sold or charged. Try again";
const IN_FLIGHT: &str = "A request with this Idempotency-Key is being worked on. Try again";

/// A shop on a line, and a product of it that is for sale by reservation.
struct Reserving {
    shop: Shop,
    line: Line,
    product: Uuid,
}

impl Reserving {
    async fn open(stock: i32) -> Self {
        let (shop, line, _) = Shop::on_a_line(|_| {}).await;
        let product = shop.product_for(NAME, stock).await;
        Self { shop, line, product }
    }

    /// Starts another replica, without a line, with these variables.
    async fn add_replica(&mut self, variables: &[(&str, &str)]) {
        let mut settings = ReplicaSettings::new(&self.shop.database.shop_url);
        settings.name = format!("replica-{}", self.shop.replicas.len() + 1);
        settings.race_window_ms = 0;
        settings.variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.shop.replicas.push(Replica::start(Path::new(SHOP), settings).await);
    }

    /// A buyer on the first replica who holds a copy, and is stopped at this statement.
    async fn buyer_at(&self, which: Which, key: Option<&str>) -> (JoinHandle<Answer>, Hold) {
        let mut hold = self.line.hold(which, At::Request);
        let buyer = match key {
            Some(key) => tokio::spawn(self.shop.buy_once(Some(NAME), 0, self.product, key)),
            None => tokio::spawn(self.shop.buy_by(NAME, 0, self.product)),
        };
        reach(&mut hold).await;
        (buyer, hold)
    }

    fn buy(&self) -> impl Future<Output = Answer> + Send + 'static {
        self.shop.buy_by(NAME, self.shop.replicas.len() - 1, self.product)
    }

    async fn let_holds_lapse(&self) {
        self.shop.execute("UPDATE holds SET expires_at = clock_timestamp()").await;
    }

    /// Orders, holds and copies in stock.
    async fn rows(&self) -> (i64, i64, i64) {
        let Self { shop, product, .. } = self;
        (shop.orders_of(*product).await, shop.holds_of(*product).await, shop.stock_of(*product).await)
    }
}

/// Returns when the statement is held. One that never comes is a failure, and no wait without end.
async fn reach(hold: &mut Hold) {
    let reached = tokio::time::timeout(Duration::from_secs(10), hold.reached()).await;
    reached.expect("it sends the statement in time").expect("it sends the statement");
}

impl Shop {
    async fn holds_of(&self, product: Uuid) -> i64 {
        self.one(&format!("SELECT count(*) FROM holds WHERE product_id = '{product}'")).await
    }
}

#[tokio::test]
async fn of_two_buyers_of_the_last_copy_who_meet_at_the_row_one_gets_it() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 0).await;
    let product = shop.product_for(NAME, 1).await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.lock_product(product).await;
    let buyers = tokio::spawn(join(shop.buy_by(NAME, 0, product), shop.buy_by(NAME, 1, product)));

    wait_until("both wait", async || side.waiting_statements().await.len() == 2).await;
    side.commit().await;

    let (one, other) = buyers.await.unwrap();
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert!(statuses == [200, 400] || statuses == [200, 409], "{statuses:?}");
    assert_eq!((shop.orders_of(product).await, shop.stock_of(product).await), (1, 0));
}

#[tokio::test]
async fn while_the_last_copy_is_held_others_are_told_to_come_again_and_out_of_stock_only_when_it_is_sold() {
    let case = Reserving::open(1).await;
    let (buyer, hold) = case.buyer_at(CONFIRM, None).await;

    let other = case.buy().await;

    other.assert_problem(409, ALL_HELD);
    assert_eq!(other.header("retry-after"), "1");
    assert_eq!(case.rows().await, (0, 1, 0));
    hold.pass();
    assert_eq!(buyer.await.unwrap().status, 200);
    case.buy().await.assert_problem(400, "Out of stock");
    assert_eq!(case.rows().await, (1, 0, 0));
}

#[tokio::test]
async fn while_a_buyer_pays_no_lock_no_transaction_and_no_connection_is_held() {
    let shop = Shop::open_with(1, |settings| {
        settings.race_window_ms = 3000;
        settings.database_pool_size = 1;
    })
    .await;
    let product = shop.product_for(NAME, 2).await;
    let buyer = tokio::spawn(shop.buy_by(NAME, 0, product));
    wait_until("the buyer pays", async || shop.holds_of(product).await == 1).await;

    let side = shop.side_connection().await;
    side.execute("SET lock_timeout = '1ms'").await;
    wait_until("the statement has ended", async || !shop.works_in_the_database().await).await;
    side.execute(&format!("UPDATE products SET price = 2 WHERE id = '{product}'")).await;
    side.execute("SELECT FROM holds FOR UPDATE NOWAIT").await;
    assert_eq!(shop.get("/").await.status, 200, "the replica's one connection is free");

    assert!(!buyer.is_finished(), "the buyer still pays");
    assert_eq!(buyer.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_buyer_whose_hold_has_lapsed_is_told_so_and_the_copy_comes_back_at_once() {
    let case = Reserving::open(1).await;
    let (buyer, hold) = case.buyer_at(CONFIRM, None).await;
    case.let_holds_lapse().await;

    hold.pass();

    let told = buyer.await.unwrap();
    told.assert_problem(409, LAPSED);
    assert_eq!(told.header("retry-after"), "1");
    wait_until("the copy is back", async || case.rows().await == (0, 0, 1)).await;
    assert_eq!(case.buy().await.status, 200);
    assert_eq!(case.rows().await, (1, 0, 0));
}

#[tokio::test]
async fn a_buyer_who_pays_too_slowly_loses_the_copy_to_the_next_one_and_it_is_sold_once() {
    let mut case = Reserving::open(1).await;
    case.add_replica(&[("HOLD_SWEEP_MS", "10")]).await;
    let (slow, hold) = case.buyer_at(CONFIRM, None).await;
    case.let_holds_lapse().await;
    wait_until("the copy is back", async || case.rows().await == (0, 0, 1)).await;

    assert_eq!(case.buy().await.status, 200);
    hold.pass();

    slow.await.unwrap().assert_problem(409, LAPSED);
    // What the slow buyer's request still does must not bring a copy.
    case.shop.replicas.remove(0).stop().await;
    assert_eq!(case.rows().await, (1, 0, 0));
}

#[tokio::test]
async fn a_declined_payment_gives_the_copy_back_before_the_answer_and_uses_no_key_up() {
    let shop = Shop::open_with(1, |settings| {
        settings.race_window_ms = 0;
        settings.variables.push(("PAYMENT_FAILS_PERCENT".to_owned(), "100".to_owned()));
    })
    .await;
    let product = shop.product_for(NAME, 1).await;

    for answer in [
        shop.buy_by(NAME, 0, product).await,
        shop.buy_once(Some(NAME), 0, product, "one").await,
        shop.buy_once(Some(NAME), 0, product, "one").await,
    ] {
        answer.assert_problem(402, "The payment was declined. Nothing was sold");
        assert!(answer.headers.get("idempotency-replayed").is_none());
        let rows = (shop.orders_of(product).await, shop.holds_of(product).await);
        assert_eq!((rows, shop.stock_of(product).await), ((0, 0), 1));
    }
    assert_eq!(shop.one::<i64>("SELECT count(*) FROM idempotency_keys").await, 0);
    assert_eq!(shop.buy_on(0, product).await.status, 200, "the exercise asks for no such payment");
}

#[tokio::test]
async fn when_payments_fail_at_random_a_crowd_still_gets_each_copy_once() {
    const STOCK: i32 = 10;
    let shop = Shop::open_with(2, |settings| {
        settings.race_window_ms = 2;
        // A hold that a busy machine could not give back in time lapses.
        for (name, value) in [("PAYMENT_FAILS_PERCENT", "50"), ("HOLD_MS", "5000"), ("HOLD_SWEEP_MS", "100")]
        {
            settings.variables.push((name.to_owned(), value.to_owned()));
        }
    })
    .await;
    let product = shop.product_for(NAME, STOCK).await;
    let buyer = async |number: usize| {
        loop {
            let answer = shop.buy_by(NAME, number % 2, product).await;
            match answer.status.as_u16() {
                402 | 409 => tokio::time::sleep(Duration::from_millis(5)).await,
                status => return status,
            }
        }
    };

    let told = join_all((0..40).map(buyer)).await;

    assert_eq!(told.iter().filter(|status| **status == 200).count(), STOCK as usize, "{told:?}");
    assert_eq!(told.iter().filter(|status| **status == 400).count(), 30, "{told:?}");
    let rows = (shop.orders_of(product).await, shop.holds_of(product).await, shop.stock_of(product).await);
    assert_eq!(rows, (STOCK.into(), 0, 0));
}

#[tokio::test]
async fn a_client_that_leaves_while_it_pays_gives_the_copy_back_at_once() {
    let shop = Shop::open_with(1, |settings| {
        settings.race_window_ms = 3000;
        settings.variables.push(("HOLD_MS".to_owned(), "3600000".to_owned()));
    })
    .await;
    let product = shop.product_for(NAME, 1).await;
    let buyer = tokio::spawn(shop.buy_by(NAME, 0, product));
    wait_until("the buyer pays", async || shop.holds_of(product).await == 1).await;

    buyer.abort();

    wait_until("the copy is back", async || shop.stock_of(product).await == 1).await;
    assert_eq!((shop.orders_of(product).await, shop.holds_of(product).await), (0, 0));
}
