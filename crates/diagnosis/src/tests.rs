//! A story for each mistake: two purchases, as the wire would have seen them, and the name that they must get.

mod given_up;
mod sales;
mod told_no;
mod why_it_holds;

use std::collections::BTreeSet;

use crate::made_up::{DECREMENT, INSERT, READ, READ_FOR_UPDATE, Story, Telling};
use crate::{Diagnosis, Evidence, Mistake, Purchase, Reading, Sign, diagnose};

const A: (&str, i32) = ("replica-1", 11);
const B: (&str, i32) = ("replica-2", 22);
const GUARDED: &str = "UPDATE products SET quantity = quantity - 1 WHERE id = $1 AND quantity > 0";
const GUARDED_BY_VERSION: &str =
    "UPDATE products SET quantity = quantity - 1, version = version + 1 WHERE id = $1 AND version = $2";
const SET: &str = r#"UPDATE "products" SET "quantity" = $1 WHERE "products"."id" = $2"#;

fn begin(story: &mut Story, (replica, pid): (&str, i32), at: i64) -> Telling {
    story.begin(replica, pid, "BEGIN", at)
}

fn purchase(status: u16, parts: &[&Telling]) -> Purchase {
    let parts: Vec<_> = parts.iter().map(|part| part.end()).collect();
    Purchase { reading: Reading::of(&parts), status: (status > 0).then_some(status) }
}

fn of(signs: &[Sign], purchases: Vec<Purchase>) -> Option<Diagnosis> {
    let evidence =
        Evidence { signs: BTreeSet::from_iter(signs.iter().copied()), purchases, is_one_at_a_time: false };
    diagnose(&evidence)
}

#[track_caller]
fn assert_named(expected: Mistake, signs: &[Sign], purchases: Vec<Purchase>) -> Diagnosis {
    let found = of(signs, purchases).unwrap();
    assert_eq!(found.name, expected, "{found:#?}");
    found
}

/// Two purchases that both read 1 and both sell.
fn both(read: &str, write: &str) -> Vec<Purchase> {
    let mut story = Story::new();
    let (mut a, mut b) = (begin(&mut story, A, 1), begin(&mut story, B, 2));
    a.read(read, 3, 1);
    b.read(read, 4, 1);
    a.write(INSERT, 5, 1).write(write, 6, 1).commit(7);
    b.write(INSERT, 8, 1).write(write, 9, 1).commit(10);
    vec![purchase(200, &[&a]), purchase(200, &[&b])]
}

/// What `first` does before the purchase reads 1, writes and commits.
fn both_after(first: &str) -> Vec<Purchase> {
    let mut story = Story::new();
    let mut told = Vec::new();
    for (who, at) in [(A, 0), (B, 20)] {
        let mut own = begin(&mut story, who, at + 1);
        own.add(first, at + 2)
            .read(READ, at + 3, 1)
            .write(INSERT, at + 4, 1)
            .write(DECREMENT, at + 5, 1)
            .commit(at + 6);
        told.push(purchase(200, &[&own]));
    }
    told
}

/// A sells, and B's last statement but one fails with this error.
fn failing(first: &str, error: &str) -> Vec<Purchase> {
    let mut story = Story::new();
    let (mut a, mut b) = (begin(&mut story, A, 1), begin(&mut story, B, 2));
    b.read(first, 3, 1);
    a.read(first, 4, 1).write(INSERT, 5, 1).write(DECREMENT, 6, 1).commit(7);
    b.write(INSERT, 8, 1).fail(DECREMENT, 9, error).rollback(10);
    vec![purchase(200, &[&a]), purchase(503, &[&b])]
}

#[test]
fn two_reads_of_the_same_stock_are_shown_with_what_they_saw() {
    let found = assert_named(Mistake::NoLock, &[Sign::Oversold], both(READ, DECREMENT));

    let shown: Vec<String> =
        found.statements.iter().map(|it| format!("{} {} {}", it.purchase, it.label, it.result)).collect();
    assert_eq!(
        shown,
        [
            "A SELECT saw quantity 1",
            "B SELECT saw quantity 1",
            "A UPDATE changed 1 row",
            "B UPDATE changed 1 row"
        ]
    );
}

#[test]
fn a_computed_stock_is_a_lost_update_and_a_weak_lock_is_too_weak() {
    assert_named(Mistake::LostUpdate, &[], both(READ, SET));
    let weak = "SELECT quantity FROM products WHERE id = $1 FOR KEY SHARE";
    assert_named(Mistake::LockTooWeak, &[], both(weak, DECREMENT));
}

#[test]
fn a_statement_that_reads_beside_its_own_lock_has_decided_before_it() {
    for read in [
        "SELECT quantity FROM products WHERE id = (SELECT id FROM products WHERE id = $1 FOR UPDATE)",
        "SELECT quantity FROM products, (SELECT pg_advisory_xact_lock(1)) AS locked WHERE id = $1",
    ] {
        assert_named(Mistake::LockAfterDecision, &[Sign::Oversold], both(read, DECREMENT));
    }
}

#[test]
fn a_lock_on_something_else_is_elsewhere() {
    assert_named(
        Mistake::LockElsewhere,
        &[],
        both_after("SELECT 1 FROM orders WHERE product_id = $1 FOR UPDATE"),
    );
    assert_named(Mistake::LockElsewhere, &[], both_after("SELECT pg_advisory_xact_lock($1)"));
    assert_named(Mistake::LockElsewhere, &[], both_after("LOCK TABLE orders"));
}

#[test]
fn a_lock_of_another_transaction_is_outside_or_was_given_up() {
    let told = |is_begun: bool| {
        let mut story = Story::new();
        let mut all = Vec::new();
        for ((replica, pid), at) in [(A, 0), (B, 20)] {
            let mut lock = if is_begun {
                let mut lock = begin(&mut story, (replica, pid), at + 1);
                lock.read(READ_FOR_UPDATE, at + 2, 1).commit(at + 3);
                lock
            } else {
                story.begin(replica, pid + 1, READ_FOR_UPDATE, at + 2)
            };
            let mut own = begin(&mut story, (replica, pid), at + 4);
            own.write(INSERT, at + 5, 1).write(DECREMENT, at + 6, 1).commit(at + 7);
            all.push(purchase(200, &[&mut lock, &mut own].map(|it| &*it)));
        }
        all
    };
    assert_named(Mistake::LockGivenUpEarly, &[], told(true));
    assert_named(Mistake::LockOutsideTransaction, &[], told(false));
}

#[test]
fn a_lock_after_the_read_that_decided_is_too_late() {
    let mut story = Story::new();
    let (mut a, mut b) = (begin(&mut story, A, 1), begin(&mut story, B, 2));
    a.read(READ, 3, 1);
    b.read(READ, 4, 1);
    a.read(READ_FOR_UPDATE, 5, 1).write(INSERT, 6, 1).write(DECREMENT, 7, 1).commit(8);
    b.read(READ_FOR_UPDATE, 9, 0).write(INSERT, 10, 1).write(DECREMENT, 11, 1).commit(12);
    assert_named(Mistake::LockAfterDecision, &[], vec![purchase(200, &[&a]), purchase(200, &[&b])]);
}

#[test]
fn a_second_look_without_a_lock_has_a_name_of_its_own() {
    let mut story = Story::new();
    let (mut a, mut b) = (begin(&mut story, A, 1), begin(&mut story, B, 2));
    a.read(READ, 3, 1).read(READ, 5, 1);
    b.read(READ, 4, 1).read(READ, 6, 1);
    a.write(INSERT, 7, 1).write(DECREMENT, 8, 1).commit(9);
    b.write(INSERT, 10, 1).write(DECREMENT, 11, 1).commit(12);
    let found = assert_named(Mistake::SecondLook, &[], vec![purchase(200, &[&a]), purchase(200, &[&b])]);
    assert_eq!(found.statements.len(), 4);
}

#[test]
fn an_update_of_no_row_that_nobody_looked_at_is_shown_with_its_count() {
    let mut purchases = both(READ, GUARDED);
    let mut story = Story::new();
    let mut b = begin(&mut story, B, 2);
    b.read(READ, 4, 1).write(INSERT, 8, 1).write(GUARDED, 9, 0).commit(10);
    purchases[1] = purchase(200, &[&b]);

    let found = assert_named(Mistake::UnreadRowCount, &[], purchases);
    assert_eq!(found.statements.last().unwrap().result, "changed 0 rows");
}

#[test]
fn a_deadlock_is_named_after_the_weak_lock_that_both_had() {
    let share = "SELECT quantity FROM products WHERE id = $1 FOR SHARE";
    assert_named(Mistake::LockTooWeak, &[], failing(share, "40P01"));

    let mut story = Story::new();
    let mut b = begin(&mut story, B, 2);
    b.read(READ, 4, 1).write(INSERT, 5, 1).fail(READ_FOR_UPDATE, 6, "40P01").rollback(7);
    let found = assert_named(Mistake::LockAfterInsert, &[], vec![purchase(503, &[&b])]);
    assert_eq!(found.statements[0].label, "INSERT");
}

#[test]
fn a_conflict_that_nobody_repeats_and_a_rule_without_an_answer_are_told_apart() {
    for error in ["40001", "55P03"] {
        assert_named(Mistake::ConflictWithoutRetry, &[], failing(READ, error));
    }
    for error in ["23514", "23505"] {
        assert_named(Mistake::ConstraintWithoutAnswer, &[Sign::NewConstraint], failing(READ, error));
    }
    assert_named(Mistake::ConstraintAdded, &[Sign::NewConstraint], Vec::new());
}

#[test]
fn an_old_version_is_a_conflict_only_where_a_sale_was_lost() {
    let mut story = Story::new();
    let mut b = begin(&mut story, B, 2);
    b.read(READ, 3, 1).write(GUARDED_BY_VERSION, 4, 0).rollback(5);
    let purchases = || vec![purchase(400, &[&b])];
    assert_named(Mistake::ConflictWithoutRetry, &[Sign::LostSale], purchases());
    assert_eq!(of(&[], purchases()), None);
}

#[test]
fn a_yes_without_an_order_is_untrue_and_without_a_commit_it_was_never_committed() {
    let mut story = Story::new();
    let mut b = begin(&mut story, B, 2);
    b.read(READ, 3, 1).write(INSERT, 4, 1).fail(DECREMENT, 5, "23514").commit_in_vain(6);
    assert_named(Mistake::UntrueAnswer, &[Sign::NewConstraint], vec![purchase(200, &[&b])]);

    let mut b = begin(&mut story, B, 2);
    let mut cleaned = story.begin("replica-2", B.1, "RESET ALL; SELECT pg_advisory_unlock_all()", 7);
    b.read(READ_FOR_UPDATE, 3, 0).rollback(6);
    cleaned.write("SELECT id FROM orders WHERE product_id = $1", 8, 1);
    let purchases = vec![purchase(200, &[&b, &cleaned])];
    assert_named(Mistake::UntrueAnswer, &[Sign::ShortPayment], purchases);
    assert_named(Mistake::UntrueAnswer, &[Sign::ShortPayment], vec![purchase(200, &[&b])]);

    let mut b = begin(&mut story, B, 2);
    b.read(READ, 3, 1).write(INSERT, 4, 1).write(DECREMENT, 5, 1).rollback(6);
    assert_named(Mistake::NeverCommits, &[], vec![purchase(200, &[&b])]);
}

#[test]
fn a_guard_in_the_memory_of_a_process_is_seen_by_what_never_reaches_the_database() {
    let evidence = Evidence {
        signs: BTreeSet::from([Sign::Oversold]),
        purchases: both(READ, DECREMENT),
        is_one_at_a_time: true,
    };
    assert_eq!(diagnose(&evidence).unwrap().name, Mistake::GuardInOneProcess);

    let mut story = Story::new();
    let mut b = begin(&mut story, B, 2);
    b.rollback(3);
    assert_named(Mistake::GuardInOneProcess, &[Sign::LostSale], vec![purchase(400, &[&b])]);
}

#[test]
fn a_late_buyer_is_no_failure_and_a_held_row_is_not_missing() {
    let mut story = Story::new();
    let mut b = begin(&mut story, B, 2);
    b.read(READ_FOR_UPDATE, 3, 0).rollback(4);
    for status in [0, 500] {
        assert_named(Mistake::LateBuyerMeetsFailure, &[], vec![purchase(status, &[&b])]);
    }

    let mut b = begin(&mut story, B, 2);
    b.write("SELECT quantity FROM products WHERE id = $1 FOR UPDATE SKIP LOCKED", 3, 0).rollback(4);
    assert_named(Mistake::RowSkipped, &[Sign::LostSale], vec![purchase(404, &[&b])]);
}

#[test]
fn what_was_seen_from_outside_decides_where_the_purchases_are_right() {
    for (sign, expected) in [
        (Sign::ReadersWait, Mistake::LockTooBroad),
        (Sign::OtherProductsWait, Mistake::LockTooBroad),
        (Sign::NoSecondRequest, Mistake::RetryMissing),
        (Sign::ShortPayment, Mistake::PaymentCutShort),
        (Sign::OneReplica, Mistake::GuardInOneProcess),
        (Sign::RefusedAlone, Mistake::RefusesEverybody),
        (Sign::FailedAlone, Mistake::FailsAlone),
    ] {
        assert_named(expected, &[sign], Vec::new());
    }
    assert_eq!(of(&[Sign::Oversold], Vec::new()), None, "nothing was seen that has a name");
}
