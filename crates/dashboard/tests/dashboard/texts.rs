//! A click as text, and in sentences.

use chrono::TimeDelta;
use flash_sale_dashboard::crowd::Crowd;
use flash_sale_dashboard::{facts, text};
use flash_sale_wiretap::trace::Transaction;

use crate::fixtures::{as_shipped, click, crowd, fixed, no_transaction, odd};

fn write(transactions: Vec<Transaction>) -> String {
    text::write(&Crowd::of(&click(transactions)))
}

fn sentences(transactions: Vec<Transaction>) -> Vec<String> {
    facts::sentences(&Crowd::of(&click(transactions)))
}

#[test]
fn as_shipped_both_reads_come_before_either_update() {
    let text = write(as_shipped());

    let expected = include_str!("fixtures/as_shipped.txt");
    assert_eq!(text, expected, "\n{text}");
}

#[test]
fn in_the_repaired_shop_one_read_waits_for_the_other_purchase() {
    let text = write(fixed());

    let expected = include_str!("fixtures/fixed.txt");
    assert_eq!(text, expected, "\n{text}");
}

#[test]
fn without_a_transaction_each_change_counts_at_once() {
    let text = write(no_transaction());

    assert!(text.contains("   101.0  INSERT: order 6697f086"), "{text}");
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("UPDATE: 1 row")).collect();
    assert!(
        lines[0].ends_with("0       1") && lines[1].ends_with("0       2"),
        "an absolute update:\n{text}"
    );
}

#[test]
fn a_change_that_failed_or_found_no_row_does_not_count() {
    for has_failed in [true, false] {
        let mut transactions = as_shipped();
        let update = &mut transactions[0].statements[3];
        update.error = has_failed.then(|| "55P03".to_owned());
        update.rows = Some(0);

        let text = write(transactions);
        assert!(text.contains("COMMIT                                   0       2"), "{text}");
    }
}

/// The one that begins first may get the lock last.
#[test]
fn a_read_that_waits_saw_the_stock_at_the_end_of_its_wait() {
    let mut transactions = fixed();
    let waiter = &mut transactions[0];
    let earlier = 60.0;
    waiter.began_at -= TimeDelta::milliseconds(60);
    waiter.statements[1].ended_ms = waiter.statements[1].ended_ms.map(|ended| ended + earlier);
    for statement in &mut waiter.statements[2..] {
        statement.began_ms += earlier;
        statement.ended_ms = statement.ended_ms.map(|ended| ended + earlier);
    }

    let text = write(transactions);

    let counts = |row: &str| -> String {
        let line = text.lines().find(|line| line.contains(row)).unwrap_or_else(|| panic!("{text}"));
        line.split_whitespace().rev().take(2).collect::<Vec<_>>().join(" ")
    };
    assert!(text.contains("A saw quantity 0 and B saw quantity 1."), "{text}");
    assert_eq!((counts("0.0  BEGIN"), counts("ROLLBACK")), ("0 1".to_owned(), "1 0".to_owned()), "{text}");
}

/// PostgreSQL lets the next purchase go on before it answers COMMIT.
#[test]
fn a_commit_counts_from_the_end_of_a_wait_for_it_even_if_it_is_answered_later() {
    let mut transactions = fixed();
    let holder = transactions.iter_mut().find(|one| one.order_id.is_some()).unwrap();
    let commit = holder.statements.last_mut().unwrap();
    commit.ended_ms = commit.ended_ms.map(|ended| ended + 20.0);
    holder.ended_at = holder.ended_at.map(|ended| ended + TimeDelta::milliseconds(20));

    let text = write(transactions);

    let waited = text.lines().find(|line| line.contains(" ms for A  ")).unwrap_or_else(|| panic!("{text}"));
    assert!(waited.ends_with("     0       1"), "{text}");
}

#[test]
fn a_commit_counts_in_its_own_row_however_its_time_was_rounded() {
    let mut transactions = as_shipped();
    for transaction in &mut transactions {
        let last = transaction.statements.last().unwrap().ended_ms.unwrap();
        transaction.ended_at = Some(transaction.began_at + TimeDelta::microseconds((last * 1e3) as i64 + 1));
    }

    let text = write(transactions);

    assert!(text.contains("COMMIT                                  -1       2\n"), "{text}");
}

#[test]
fn what_is_odd_is_said() {
    let text = write(odd());

    for expected in
        ["INSERT: error 23514", "ROLLBACK TO", "SELECT pg_advisory_xact_lock", "SELECT FOR NO KEY UPDATE"]
    {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let sentences = sentences(odd());
    assert_eq!(sentences[0], "2 purchases on replica-1 and replica-2: 1 still open, 1 connection lost.");
    assert!(sentences.contains(&"B has waited 12.0 ms for A.".to_owned()), "{sentences:#?}");
}

#[test]
fn a_crowd_has_two_columns_and_counts_the_rest() {
    let text = write(crowd(200));

    assert!(text.contains("A (replica-1) ") && text.contains("B (replica-2) "), "{text}");
    assert!(text.contains("\nC (replica-1), from "), "{text}");
    assert!(text.contains("94 more (replica-1): rolled back, saw quantity 0"), "{text}");
    assert!(text.lines().count() < 60, "{text}");
}

#[test]
fn no_line_is_longer_than_a_hundred_characters_and_what_is_cut_says_so() {
    let mut long = as_shipped();
    long[0].statements[1].sql = format!("SELECT pg_advisory_{}()", "x".repeat(40));
    for transactions in [as_shipped(), fixed(), no_transaction(), odd(), crowd(5), crowd(200), long.clone()] {
        let text = write(transactions);

        let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= 100, "{longest}\n{text}");
    }
    assert!(write(crowd(5)).contains("C waited 210.0 ms for B"), "{}", write(crowd(5)));
    assert!(write(long).contains("SELECT pg_advisory_xxxxxxxxxxxxxxxx…  "));
}

#[test]
fn the_sentences_say_what_was_read_who_waited_and_what_was_ordered() {
    assert_eq!(
        sentences(as_shipped()),
        [
            "2 purchases on replica-1 and replica-2: 2 committed.",
            "Both reads saw quantity 1.",
            "No statement waited for a lock.",
            "2 new orders: 6697f086 and 385f36fa.",
        ]
    );
    assert!(sentences(crowd(200)).contains(&"200 reads saw quantities from 10 to 0.".to_owned()));
    assert_eq!(
        sentences(fixed()),
        [
            "2 purchases on replica-1 and replica-2: 1 committed, 1 rolled back.",
            "A saw quantity 1 and B saw quantity 0.",
            "B waited 54.2 ms for A.",
            "1 new order: a1d0c2be.",
        ]
    );
}
