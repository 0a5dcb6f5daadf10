//! Which transactions are one click.

use chrono::TimeDelta;
use flash_sale_core::database::BETWEEN_TWO_USERS;
use flash_sale_dashboard::clicks::{Click, Which, group};
use flash_sale_dashboard::crowd::Crowd;
use flash_sale_wiretap::trace::{Outcome, Transaction};

use crate::fixtures::{as_shipped, click, crowd, fixed, no_transaction, odd};

fn numbers(click: &Click) -> Vec<u64> {
    click.transactions.iter().map(|transaction| transaction.number).collect()
}

/// The transactions, with the last one later.
fn with_the_last_one_later(mut transactions: Vec<Transaction>, later: TimeDelta) -> Vec<Transaction> {
    let last = &mut transactions[0];
    last.began_at += later;
    last.ended_at = last.ended_at.map(|ended| ended + later);
    transactions
}

#[test]
fn two_purchases_that_overlap_are_one_click_and_pages_are_left_out() {
    let click = click(as_shipped());

    assert_eq!(numbers(&click), [7, 8]);
    assert_eq!((click.number, click.began_at), (7, click.transactions[0].began_at));
}

#[test]
fn pages_are_shown_when_they_are_asked_for() {
    let clicks = group(as_shipped(), Which::All);

    assert_eq!(clicks.iter().flat_map(numbers).collect::<Vec<_>>(), [5, 6, 7, 8]);
}

#[test]
fn purchases_within_a_tenth_of_a_second_are_one_click_and_later_ones_are_another() {
    // Without a payment: the first purchase ends after 4 ms, the second begins after 51 ms.
    let mut short = as_shipped();
    short[1].ended_at = Some(short[1].began_at + TimeDelta::milliseconds(4));
    assert_eq!(group(short.clone(), Which::Purchases).len(), 1);

    let apart = with_the_last_one_later(short, TimeDelta::milliseconds(50));

    let clicks = group(apart, Which::Purchases);
    assert_eq!(clicks.iter().map(numbers).collect::<Vec<_>>(), [[8], [7]], "newest first");
}

#[test]
fn an_overlap_is_one_click_however_long_it_takes() {
    let mut long = with_the_last_one_later(as_shipped(), TimeDelta::milliseconds(900));
    long[1].ended_at = Some(long[1].began_at + TimeDelta::seconds(1));

    assert_eq!(numbers(&click(long)), [7, 8]);
}

#[test]
fn a_purchase_that_is_refused_is_in_its_click_though_it_changes_nothing() {
    let mut refused = as_shipped();
    refused[0].statements.truncate(2);
    refused[0].order_id = None;

    assert_eq!(numbers(&click(refused)), [7, 8]);
}

#[test]
fn a_reset_is_no_purchase() {
    let mut reset = fixed();
    reset[0].statements[1].sql = "DELETE FROM orders WHERE product_id = $1".to_owned();

    assert_eq!(numbers(&click(reset)), [11]);
}

#[test]
fn a_page_is_no_purchase_however_its_transaction_says_that_it_only_reads() {
    for statements in
        [vec!["BEGIN READ ONLY"], vec!["BEGIN", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"]]
    {
        let mut page = as_shipped();
        let read = page[0].statements[1].clone();
        let said = statements.iter().map(|sql| {
            let mut said = page[0].statements[0].clone();
            said.sql = (*sql).to_owned();
            said
        });
        page[0].statements = said.chain([read]).collect();

        assert_eq!(numbers(&click(page)), [7], "{statements:?}");
    }
}

#[test]
fn statements_without_a_transaction_share_the_lane_of_their_connection() {
    let click = click(no_transaction());
    let crowd = Crowd::of(&click);

    let lanes: Vec<(&str, usize)> = crowd.lanes.iter().map(|lane| (lane.replica, lane.steps.len())).collect();
    assert_eq!(lanes, [("replica-1", 3), ("replica-2", 3)]);
}

#[test]
fn a_read_without_a_transaction_and_without_a_purchase_is_left_out() {
    let reads: Vec<Transaction> =
        no_transaction().into_iter().filter(|transaction| transaction.number < 23).collect();
    assert_eq!(reads.len(), 2);

    assert!(group(reads, Which::Purchases).is_empty());
}

/// The shop cleans each connection before it lends it again, removes old keys at its start, and looks for lapsed holds.
#[test]
fn what_a_replica_does_for_itself_is_no_purchase_and_does_not_part_a_read_from_its_purchase() {
    let own = [
        BETWEEN_TWO_USERS,
        "DELETE FROM idempotency_keys WHERE key IN (SELECT key FROM idempotency_keys FOR UPDATE SKIP LOCKED)",
        "SELECT DISTINCT product_id FROM holds WHERE expires_at <= clock_timestamp()",
    ];
    for (purchases, expected) in [
        (as_shipped(), vec![7, 8]),
        (no_transaction(), no_transaction().iter().rev().map(|purchase| purchase.number).collect()),
    ] {
        let mut all = Vec::new();
        for purchase in purchases {
            let pause = own.map(|sql| {
                let mut pause = purchase.clone();
                pause.number += 1000;
                pause.began_at = purchase.ended_at.unwrap() + TimeDelta::microseconds(100);
                pause.ended_at = Some(pause.began_at + TimeDelta::microseconds(100));
                pause.statements.truncate(1);
                pause.statements[0].sql = sql.to_owned();
                pause
            });
            all.push(purchase);
            all.extend(pause);
        }

        assert_eq!(numbers(&click(all)), expected);
    }
}

#[test]
fn an_open_transaction_and_a_lost_one_are_in_their_click() {
    let mut odd = odd();
    // The connection was lost after 900 ms, so both overlap. The open one has no end.
    assert_eq!(numbers(&click(odd.clone())), [31, 32]);

    odd.reverse();
    assert_eq!(numbers(&click(odd)), [31, 32], "in any order");
}

#[test]
fn a_purchase_that_begins_while_another_is_open_is_in_its_click() {
    let mut slow = as_shipped();
    slow.truncate(2);
    slow.sort_by_key(|transaction| transaction.began_at);
    // The first one waits for its payment. Its last statement was answered long ago.
    slow[0].statements.truncate(2);
    slow[0].ended_at = None;
    slow[1].began_at += TimeDelta::milliseconds(1500);
    assert_eq!(group(slow.clone(), Which::Purchases).len(), 2, "of a transaction that has ended");
    slow[0].outcome = Outcome::Open;

    assert_eq!(group(slow, Which::Purchases).len(), 1);
}

#[test]
fn a_page_that_reads_in_a_transaction_is_no_purchase() {
    for begin in ["BEGIN READ ONLY", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"] {
        let mut page = as_shipped();
        page.truncate(1);
        page[0].statements.truncate(2);
        assert_eq!(group(page.clone(), Which::Purchases).len(), 1, "a read that may be followed by a write");
        let mut first = page[0].statements[0].clone();
        first.sql = begin.to_owned();
        page[0].statements.insert(1, first);

        assert!(group(page, Which::Purchases).is_empty(), "{begin}");
    }
}

#[test]
fn a_large_crowd_is_folded_by_replica_and_by_how_it_went() {
    let click = click(crowd(200));
    let crowd = Crowd::of(&click);

    assert_eq!(crowd.lanes.len(), 6, "four with an order, two without");
    let folds: Vec<String> = crowd
        .folds
        .iter()
        .map(|fold| format!("{} {}: {}", fold.lanes.len(), fold.replica, fold.way))
        .collect();
    assert!(folds.contains(&"94 replica-1: rolled back, saw quantity 0".to_owned()), "{folds:#?}");
    assert!(folds.contains(&"3 replica-2: committed, with an order".to_owned()), "{folds:#?}");
    assert_eq!(folds.len(), 4, "{folds:#?}");
    assert_eq!(crowd.all_lanes().count(), 200, "nobody is left out");
}
