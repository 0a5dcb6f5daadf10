//! Purchases whose buyer was told no, or met a failure.

use super::*;

/// A sells. B reads what A has left, and its guarded UPDATE changes no row.
fn guarded(end: impl Fn(&mut Telling), status: u16) -> Vec<Purchase> {
    let mut story = Story::new();
    let (mut a, mut b) = (begin(&mut story, A, 1), begin(&mut story, B, 2));
    a.write(INSERT, 3, 1).write(GUARDED, 4, 1).commit(5);
    b.write(INSERT, 6, 1).write(GUARDED, 7, 0);
    end(&mut b);
    vec![purchase(200, &[&a]), purchase(status, &[&b])]
}

#[test]
fn an_order_that_was_kept_though_its_buyer_was_told_no_is_no_unread_row_count() {
    let commit = |b: &mut Telling| {
        b.commit(8);
    };
    let rollback = |b: &mut Telling| {
        b.rollback(8);
    };

    let found = assert_named(Mistake::KeptAfterRefusal, &[Sign::Oversold], guarded(commit, 400));
    let labels: Vec<&str> = found.statements.iter().map(|it| it.label.as_str()).collect();
    assert_eq!(labels, ["INSERT", "UPDATE", "COMMIT"]);

    assert_named(Mistake::UnreadRowCount, &[Sign::Oversold], guarded(commit, 200));
    assert_named(Mistake::LateBuyerMeetsFailure, &[], guarded(rollback, 503));
    assert_eq!(of(&[], guarded(rollback, 400)), None);
}

#[test]
fn what_comes_after_an_error_in_its_transaction_fails_too() {
    let mut story = Story::new();
    let mut b = begin(&mut story, B, 2);
    b.read(READ, 3, 1).fail(DECREMENT, 4, "40001").fail(DECREMENT, 5, "25P02").rollback(6);

    let found = assert_named(Mistake::GoesOnAfterError, &[], vec![purchase(503, &[&b])]);

    let results: Vec<&str> = found.statements.iter().map(|it| it.result.as_str()).collect();
    assert_eq!(results, ["failed with 40001", "failed with 25P02"]);
}

#[test]
fn a_deadlock_of_two_who_share_the_table_comes_from_the_weak_lock() {
    let shared = failing("LOCK TABLE products IN SHARE MODE", "40P01");
    assert_named(Mistake::LockTooWeak, &[], shared);
    let exclusive = failing("LOCK TABLE products IN EXCLUSIVE MODE", "40P01");
    assert_named(Mistake::LockAfterInsert, &[], exclusive);
}

#[test]
fn who_begins_again_and_still_meets_failures_in_a_crowd_has_used_up_the_tries() {
    let mut story = Story::new();
    let mut first = begin(&mut story, B, 2);
    first.read(READ, 3, 1).fail(DECREMENT, 4, "40001").rollback(5);
    let mut second = begin(&mut story, B, 6);
    second.read(READ, 7, 0).rollback(8);
    let tried = || vec![purchase(400, &[&first, &second])];

    assert_named(Mistake::TriesUsedUp, &[Sign::BuyersMetFailures], tried());
    assert_eq!(of(&[], tried()), None);
}

#[test]
fn who_is_told_that_nothing_is_left_because_of_a_conflict_was_not_told_the_truth() {
    let mut story = Story::new();
    let mut b = begin(&mut story, B, 2);
    b.fail("SELECT quantity FROM products WHERE id = $1 FOR UPDATE NOWAIT", 3, "55P03").rollback(4);
    let refused = || vec![purchase(400, &[&b])];

    assert_named(Mistake::ConflictWithoutRetry, &[Sign::LostSale], refused());
    assert_eq!(of(&[], refused()), None);
}

#[test]
fn who_did_not_get_a_lock_that_was_only_tried_was_not_told_the_truth() {
    let tried = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))";
    let mut story = Story::new();
    let mut b = begin(&mut story, B, 2);
    b.add(tried, 3).rollback(4);
    let refused = |b: &Telling| vec![purchase(400, &[b])];

    let found = assert_named(Mistake::ConflictWithoutRetry, &[Sign::LostSale], refused(&b));
    assert_eq!(found.statements.len(), 1, "the lock that was tried");
    assert_eq!(of(&[], refused(&b)), None);

    let mut b = begin(&mut story, B, 2);
    b.add(tried, 3).read(READ, 4, 0).rollback(5);
    assert_eq!(of(&[Sign::LostSale], refused(&b)), None, "it has looked at the stock");
}

#[test]
fn an_update_that_wants_the_stock_that_was_read_is_a_conflict_and_one_that_wants_any_stock_is_not() {
    let told = |write: &str| {
        let mut story = Story::new();
        let mut b = begin(&mut story, B, 2);
        b.read(READ, 3, 1).write(write, 4, 0).rollback(5);
        vec![purchase(400, &[&b])]
    };
    let same_stock = "UPDATE products SET quantity = $2 WHERE id = $1 AND quantity = $3";

    assert_named(Mistake::ConflictWithoutRetry, &[Sign::LostSale], told(same_stock));
    assert_eq!(of(&[], told(same_stock)), None);
    assert_eq!(of(&[Sign::LostSale], told(GUARDED)), None);
}

#[test]
fn who_takes_the_last_copy_and_then_finds_none_counts_its_own() {
    let told = |left: i64| {
        let mut story = Story::new();
        let mut b = begin(&mut story, B, 2);
        b.write(DECREMENT, 3, 1).read(READ, 4, left).rollback(5);
        vec![purchase(400, &[&b])]
    };

    let found = assert_named(Mistake::CountsItsOwnCopy, &[Sign::LostSale], told(0));
    let results: Vec<&str> = found.statements.iter().map(|it| it.result.as_str()).collect();
    assert_eq!(results, ["changed 1 row", "saw quantity 0"]);
    assert_eq!(of(&[], told(0)), None);
    assert_eq!(of(&[Sign::LostSale], told(-1)), None, "somebody else has taken the last copy");
}

#[test]
fn a_purchase_that_begins_again_after_an_old_row_uses_its_tries_up() {
    let same_stock = "UPDATE products SET quantity = $2 WHERE id = $1 AND quantity = $3";
    let mut story = Story::new();
    let (mut first, mut again) = (begin(&mut story, B, 2), begin(&mut story, B, 6));
    first.read(READ, 3, 1).write(same_stock, 4, 0).rollback(5);
    again.read(READ, 7, 0).rollback(8);
    let told = || vec![purchase(400, &[&first, &again])];

    let found = assert_named(Mistake::TriesUsedUp, &[Sign::LostSale], told());
    assert!(found.sentence.ends_with("told that nothing is left while copies were left."), "{found:#?}");
    let found = assert_named(Mistake::TriesUsedUp, &[Sign::LostSale, Sign::BuyersMetFailures], told());
    assert!(found.sentence.ends_with("their buyers met a failure."), "{found:#?}");
    assert_eq!(of(&[], told()), None, "nobody is known to have used up the tries");
}

#[test]
fn the_sentence_says_what_the_buyer_was_told() {
    let met = |status: u16| {
        let mut story = Story::new();
        let mut b = begin(&mut story, B, 2);
        b.read(READ, 3, 1).fail(DECREMENT, 4, "40001").rollback(5);
        assert_named(Mistake::ConflictWithoutRetry, &[Sign::LostSale], vec![purchase(status, &[&b])]).sentence
    };

    assert!(met(503).ends_with("Nobody tried again, and the buyer met a failure."), "{}", met(503));
    assert!(met(400).contains("the buyer was told that nothing is left"), "{}", met(400));
}

#[test]
fn an_order_that_is_committed_and_then_deleted_is_undone_afterwards() {
    let told = |last: &str, status: u16| {
        let mut story = Story::new();
        let mut b = begin(&mut story, B, 2);
        b.read(READ, 3, 1).write(INSERT, 4, 1).write(DECREMENT, 5, 1).commit(6);
        let mut after = story.begin("replica-2", 22, last, 7);
        vec![purchase(status, &[&b, after.commit(8)])]
    };
    let both = "WITH undone AS (DELETE FROM orders WHERE id = $2)
                UPDATE products SET quantity = quantity + 1 WHERE id = $1";

    assert_named(Mistake::UndoneAfterwards, &[Sign::LostSale], told(both, 400));
    assert_named(Mistake::UndoneAfterwards, &[], told("DELETE FROM orders WHERE id = $1", 400));
    assert_named(Mistake::KeptAfterRefusal, &[], told(READ, 400));
    assert_eq!(of(&[], told(both, 200)), None, "this buyer was told yes");
}
