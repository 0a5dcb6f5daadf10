//! Purchases whose lock ends before their transaction.

use super::*;

/// Both lock, and both have read 1 before the other one has committed.
fn both_with(before_the_read: &[&str], after_the_write: &[&str]) -> Vec<Purchase> {
    let mut story = Story::new();
    let mut told = Vec::new();
    for (who, at) in [(A, 0), (B, 20)] {
        let mut own = begin(&mut story, who, at + 1);
        for (index, sql) in before_the_read.iter().enumerate() {
            own.add(sql, at + 2 + index as i64);
        }
        own.read(READ, at + 10, 1).write(INSERT, at + 11, 1).write(DECREMENT, at + 12, 1);
        for sql in after_the_write {
            own.add(sql, at + 13);
        }
        own.commit(at + 14);
        told.push(purchase(200, &[&own]));
    }
    told
}

#[test]
fn a_lock_that_ends_before_the_new_stock_is_committed_was_given_up_early() {
    let lock = "SELECT pg_advisory_lock($1)";
    for (before, after, by) in [
        (&["SAVEPOINT a", READ_FOR_UPDATE, "ROLLBACK TO SAVEPOINT a"][..], &[][..], "ROLLBACK TO"),
        (&[lock], &["SELECT pg_advisory_unlock($1)"], "SELECT pg_advisory_unlock"),
    ] {
        let found = assert_named(Mistake::LockGivenUpEarly, &[Sign::Oversold], both_with(before, after));

        let labels: Vec<&str> = found.statements.iter().map(|it| it.label.as_str()).collect();
        assert!(labels.contains(&by), "{labels:?}");
    }
    let kept = both_with(&["SAVEPOINT a", lock, "ROLLBACK TO SAVEPOINT a"], &[]);
    assert_named(Mistake::LockElsewhere, &[Sign::Oversold], kept);
}
