//! Purchases with a key: the hold keeps the key in flight while the buyer pays.

use super::*;

/// The statement with which the second transaction claims the key again.
const CLAIM_AGAIN: Which = Which::Saying("pg_advisory_xact_lock(");

fn is_replay(answer: &Answer) -> bool {
    answer.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

#[tokio::test]
async fn a_copy_of_a_purchase_that_is_being_paid_is_409_and_holds_no_second_copy() {
    let case = Reserving::open(3).await;
    let (buyer, hold) = case.buyer_at(CLAIM_AGAIN, Some("one")).await;

    case.shop.buy_once(Some(NAME), 0, case.product, "one").await.assert_problem(409, IN_FLIGHT);

    assert_eq!(case.rows().await, (0, 1, 2));
    hold.pass();
    let sold = buyer.await.unwrap();
    assert_eq!(sold.status, 200, "{}", sold.body);
    let again = case.shop.buy_once(Some(NAME), 0, case.product, "one").await;
    assert!(is_replay(&again) && again.body == sold.body, "{}", again.body);
    assert_eq!(case.rows().await, (1, 0, 2));
}

/// A request that only looks has the key for a moment. The confirmation waits for it: it must not fail for that.
#[tokio::test]
async fn a_confirmation_waits_for_a_request_that_just_looks_at_the_key() {
    let case = Reserving::open(1).await;
    let (buyer, hold) = case.buyer_at(CLAIM_AGAIN, Some("one")).await;
    let side = case.shop.side_connection().await;
    side.begin().await;
    side.execute("SELECT pg_advisory_xact_lock(hashtextextended('one', 1))").await;

    hold.pass();
    wait_until("it waits", async || side.waiting_statements().await.len() == 1).await;
    side.commit().await;

    assert_eq!(buyer.await.unwrap().status, 200);
    assert_eq!(case.rows().await, (1, 0, 0));
}

#[tokio::test]
async fn when_the_hold_has_lapsed_the_key_can_buy_again_and_the_slow_request_is_told_of_that_order() {
    let mut case = Reserving::open(3).await;
    case.add_replica(&[("HOLD_SWEEP_MS", "10")]).await;
    let (slow, hold) = case.buyer_at(CLAIM_AGAIN, Some("one")).await;
    case.let_holds_lapse().await;
    wait_until("the copy is back", async || case.rows().await == (0, 0, 3)).await;

    let sold = case.shop.buy_once(Some(NAME), 1, case.product, "one").await;
    hold.pass();

    assert!(sold.status == 200 && !is_replay(&sold), "{}", sold.body);
    let slow = slow.await.unwrap();
    assert!(is_replay(&slow) && slow.body == sold.body, "{}", slow.body);
    assert_eq!(case.rows().await, (1, 0, 2));
}

#[tokio::test]
async fn a_key_that_another_purchase_has_used_meanwhile_is_422_and_the_copy_comes_back() {
    let case = Reserving::open(3).await;
    let (buyer, hold) = case.buyer_at(CLAIM_AGAIN, Some("one")).await;
    assert_eq!(case.shop.buy_once(Some("pessimistic"), 0, case.product, "one").await.status, 200);

    hold.pass();

    buyer.await.unwrap().assert_problem(422, "This Idempotency-Key was used for another request");
    wait_until("the copy is back", async || case.rows().await == (1, 0, 2)).await;
}

#[tokio::test]
async fn neither_a_lapsed_hold_nor_copies_that_are_held_use_a_key_up() {
    let case = Reserving::open(1).await;
    let (slow, hold) = case.buyer_at(CLAIM_AGAIN, Some("slow")).await;
    case.shop.buy_once(Some(NAME), 0, case.product, "late").await.assert_problem(409, ALL_HELD);
    case.let_holds_lapse().await;
    hold.pass();
    slow.await.unwrap().assert_problem(409, LAPSED);
    wait_until("the copy is back", async || case.rows().await == (0, 0, 1)).await;

    assert_eq!(case.shop.one::<i64>("SELECT count(*) FROM idempotency_keys").await, 0);
    assert_eq!(case.shop.buy_once(Some(NAME), 0, case.product, "late").await.status, 200);
    case.shop.buy_once(Some(NAME), 0, case.product, "slow").await.assert_problem(400, "Out of stock");
    let kept = case.shop.buy_once(Some(NAME), 0, case.product, "slow").await;
    assert!(is_replay(&kept) && kept.status == 400, "{}", kept.body);
}
