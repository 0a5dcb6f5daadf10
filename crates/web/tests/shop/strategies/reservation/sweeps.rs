//! Lapsed holds give their copies back, once each: several replicas sweep, others have the rows, and resets come.

use super::*;

/// As many as the products of the tests below have lapsed holds.
const LAPSED_HOLDS: i64 = 40;

impl Shop {
    /// A product whose stock is all held. The holds have lapsed.
    async fn lapsed_product(&self) -> Uuid {
        let product = self.product_for(NAME, 0).await;
        self.execute(&format!(
            "INSERT INTO holds (id, product_id, expires_at)
             SELECT gen_random_uuid(), '{product}', clock_timestamp() FROM generate_series(1, {LAPSED_HOLDS})"
        ))
        .await;
        product
    }

    async fn is_swept(&self, product: Uuid) -> bool {
        self.stock_of(product).await == LAPSED_HOLDS && self.holds_of(product).await == 0
    }
}

#[tokio::test]
async fn replicas_that_sweep_at_once_give_each_copy_back_once() {
    let shop = Shop::open_with(4, |settings| {
        settings.race_window_ms = 0;
        settings.variables.push(("HOLD_SWEEP_MS".to_owned(), "1".to_owned()));
    })
    .await;

    for _ in 0..20 {
        let product = shop.lapsed_product().await;
        wait_until("all are swept", async || shop.holds_of(product).await == 0).await;
        assert_eq!(shop.stock_of(product).await, LAPSED_HOLDS);
    }

    let swept: usize =
        shop.replicas.iter().map(|replica| replica.log().matches("holds have lapsed").count()).sum();
    assert!(swept >= 20, "each was swept, and said so");
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(shop.one::<i64>(deadlocks).await, 0);
}

#[tokio::test]
async fn a_product_whose_row_somebody_has_is_swept_later_and_holds_up_no_other() {
    let shop = Shop::open_with(1, |settings| {
        settings.variables.push(("HOLD_SWEEP_MS".to_owned(), "20".to_owned()));
    })
    .await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.execute("LOCK TABLE holds IN EXCLUSIVE MODE").await;
    let [mut busy, mut free] = [Vec::new(), Vec::new()];
    for _ in 0..4 {
        for products in [&mut busy, &mut free] {
            products.push(shop.product_for(NAME, 0).await);
        }
    }
    for product in busy.iter().chain(&free) {
        side.execute(&format!(
            "INSERT INTO holds (id, product_id, expires_at)
             SELECT gen_random_uuid(), '{product}', clock_timestamp() FROM generate_series(1, {LAPSED_HOLDS})"
        ))
        .await;
    }
    side.commit().await;
    // A sweep may have come before. What counts is what follows.
    let side = shop.side_connection().await;
    side.begin().await;
    for product in &busy {
        side.lock_product(*product).await;
    }
    for product in busy.iter().chain(&free) {
        shop.execute(&format!(
            "UPDATE holds SET expires_at = clock_timestamp() WHERE product_id = '{product}'"
        ))
        .await;
    }

    for product in &free {
        wait_until("it is swept", async || shop.is_swept(*product).await).await;
    }
    assert!(side.waiting_statements().await.is_empty(), "and nobody waits");
    side.commit().await;
    for product in &busy {
        wait_until("it is swept, too", async || shop.is_swept(*product).await).await;
    }
}

#[tokio::test]
async fn a_hold_that_is_being_confirmed_when_it_lapses_is_not_swept_and_not_waited_for() {
    let mut case = Reserving::open(2).await;
    case.add_replica(&[("HOLD_MS", "1000")]).await;
    make_orders_wait(&case.shop).await;
    let side = case.shop.side_connection().await;
    side.begin().await;
    side.execute("SELECT pg_advisory_xact_lock(7)").await;
    let buyer = tokio::spawn(case.buy());
    wait_until("it is being confirmed", async || side.waiting_statements().await.len() == 1).await;
    let lapsed = "SELECT bool_and(expires_at <= clock_timestamp()) FROM holds";
    wait_until("it lapses", async || case.shop.one::<bool>(lapsed).await).await;

    let (product, other) = (case.product, case.shop.lapsed_product().await);
    case.shop
        .execute(&format!(
            "INSERT INTO holds (id, product_id, expires_at) VALUES (gen_random_uuid(), '{product}', now());
             UPDATE products SET quantity = quantity - 1 WHERE id = '{product}'"
        ))
        .await;
    case.add_replica(&[("HOLD_SWEEP_MS", "10")]).await;
    wait_until("another product is swept", async || case.shop.is_swept(other).await).await;
    wait_until("the other hold is swept", async || case.shop.stock_of(product).await == 1).await;
    assert_eq!(side.waiting_statements().await.len(), 1, "only the confirmation waits");
    side.commit().await;

    assert_eq!(buyer.await.unwrap().status, 200);
    assert_eq!(case.rows().await, (1, 0, 1));
}

#[tokio::test]
async fn a_reset_ends_all_holds_and_a_buyer_who_confirms_later_is_told_that_the_hold_has_lapsed() {
    let mut case = Reserving::open(1).await;
    case.product = case.shop.book().await;
    let (buyer, hold) = case.buyer_at(CONFIRM, None).await;
    assert_eq!(case.rows().await, (0, 1, 0));

    assert_eq!(case.shop.post("/api/reset").await.json()["deleted_orders"], 0);
    assert_eq!(case.rows().await, (0, 0, 1));
    hold.pass();

    buyer.await.unwrap().assert_problem(409, LAPSED);
    assert_eq!(case.buy().await.status, 200);
    assert_eq!(case.rows().await, (1, 0, 0));
}

/// The confirmation changes no stock, so the reset meets it only at the row of the hold.
#[tokio::test]
async fn a_reset_waits_for_a_confirmation_and_then_deletes_its_order() {
    let shop = Shop::open().await;
    let book = shop.book().await;
    make_orders_wait(&shop).await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.execute("SELECT pg_advisory_xact_lock(7)").await;
    let buyer = tokio::spawn(shop.buy_by(NAME, 0, book));
    wait_until("the confirmation waits", async || side.waiting_statements().await.len() == 1).await;
    let reset = tokio::spawn(crate::read(shop.request(reqwest::Method::POST, "/api/reset")));
    wait_until("the reset waits", async || side.waiting_statements().await.len() == 2 || reset.is_finished())
        .await;

    side.commit().await;

    assert_eq!(buyer.await.unwrap().status, 200);
    assert_eq!(reset.await.unwrap().json()["deleted_orders"], 1);
    assert_eq!((shop.order_count().await, shop.stock().await), (0, 1));
}

/// From now on, the insert of an order waits until nobody has the number 7.
async fn make_orders_wait(shop: &Shop) {
    shop.execute(
        "CREATE FUNCTION wait_for_us() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$",
    )
    .await;
    shop.execute(
        "CREATE TRIGGER wait_for_us AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION wait_for_us()",
    )
    .await;
}
