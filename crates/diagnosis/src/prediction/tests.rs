//! Purchases that are made up, and what must be suspected of each.

use super::*;
use crate::made_up::{DECREMENT, INSERT, READ, READ_FOR_UPDATE, Story, Telling};

const GUARDED: &str =
    r#"UPDATE "products" SET "quantity" = "quantity" - $1 WHERE "id" = $2 AND "quantity" > $3"#;
const ABSOLUTE: &str = r#"UPDATE "products" SET "quantity" = $1 WHERE "products"."id" = $2"#;

/// A purchase in one transaction that begins so.
fn predict(begin: &str, tell: impl FnOnce(&mut Telling)) -> (Vec<(usize, usize, Anomaly)>, Vec<Guard>) {
    let mut story = Story::new();
    let mut own = story.begin("replica-1", 8, begin, 1);
    tell(&mut own);
    own.commit(9);
    said(&Prediction::of(&Reading::of([&own.end()]), None))
}

fn said(prediction: &Prediction) -> (Vec<(usize, usize, Anomaly)>, Vec<Guard>) {
    let suspicions = prediction.suspicions.iter().map(|it| (it.first, it.second, it.anomaly)).collect();
    (suspicions, prediction.guarded.iter().map(|guarded| guarded.guard).collect())
}

#[test]
fn a_read_that_locks_nothing_and_a_later_write_are_a_witness() {
    let (suspicions, guards) = predict("BEGIN", |own| {
        own.read(READ, 2, 1).write(INSERT, 3, 1).write(DECREMENT, 4, 1);
    });

    assert_eq!(suspicions, [(1, 3, Anomaly::StaleCheck)]);
    assert!(guards.is_empty(), "{guards:?}");
}

#[test]
fn a_value_that_was_computed_before_may_overwrite_another_one() {
    let (suspicions, _) = predict("BEGIN", |own| {
        own.read(READ, 2, 1).write(ABSOLUTE, 3, 1).write(INSERT, 4, 1);
    });

    assert_eq!(suspicions, [(1, 2, Anomaly::LostUpdate)]);
}

#[test]
fn what_comes_before_the_read_and_lasts_until_the_write_is_a_guard() {
    let locks = [
        ("a row lock of the read itself", READ_FOR_UPDATE, Guard::RowLock),
        ("a number", "SELECT pg_advisory_xact_lock(hashtext($1))", Guard::NumberLock),
        ("a table", "LOCK TABLE products IN SHARE ROW EXCLUSIVE MODE", Guard::TableLock),
        ("a write", DECREMENT, Guard::EarlierWrite),
    ];
    for (name, first, guard) in locks {
        let (suspicions, guards) = predict("BEGIN", |own| {
            own.write(first, 2, 1).read(READ, 3, 1).write(DECREMENT, 4, 1);
        });

        assert!(suspicions.is_empty(), "{name}: {suspicions:?}");
        assert!(guards.contains(&guard), "{name}: {guards:?}");
    }
}

#[test]
fn a_lock_that_comes_too_late_is_too_weak_or_ends_too_early_is_no_guard() {
    let share = READ_FOR_UPDATE.replace("FOR UPDATE", "FOR SHARE");
    for first in [
        &share,
        "LOCK TABLE products IN SHARE MODE",
        "SELECT pg_advisory_xact_lock_shared(1)",
        "SELECT pg_try_advisory_xact_lock(1)",
    ] {
        let (suspicions, _) = predict("BEGIN", |own| {
            own.write(first, 2, 1).read(READ, 3, 1).write(DECREMENT, 4, 1);
        });
        assert!(suspicions.contains(&(2, 3, Anomaly::StaleCheck)), "{first}: {suspicions:?}");
    }
    let (late, _) = predict("BEGIN", |own| {
        own.read(READ, 2, 1).read(READ_FOR_UPDATE, 3, 1).write(DECREMENT, 4, 1);
    });
    assert_eq!(late, [(1, 3, Anomaly::StaleCheck)]);

    // The lock ends with its own statement, before the purchase's transaction begins.
    let mut story = Story::new();
    let outside = story.alone("replica-1", 7, READ_FOR_UPDATE, 1);
    let mut own = story.begin("replica-1", 8, "BEGIN", 2);
    own.write(DECREMENT, 3, 1).commit(4);
    let (suspicions, _) = said(&Prediction::of(&Reading::of([&outside, &own.end()]), None));
    assert_eq!(suspicions, [(0, 2, Anomaly::StaleCheck)]);
}

#[test]
fn a_lock_within_the_statement_that_reads_is_a_guard_only_where_the_read_itself_locks() {
    let locked = "SELECT * FROM products WHERE id = $1 FOR UPDATE";
    for (sql, is_guarded) in [
        (format!("SELECT * FROM ({locked}) AS locked"), true),
        (format!("SELECT * FROM products WHERE id = ({locked})"), false),
        (format!("WITH locked AS ({locked}) SELECT products.* FROM products JOIN locked USING (id)"), false),
        ("SELECT products.* FROM products, (SELECT pg_advisory_xact_lock(1)) AS locked".to_owned(), false),
    ] {
        let (suspicions, _) = predict("BEGIN", |own| {
            own.read(&sql, 2, 1).write(DECREMENT, 3, 1);
        });

        assert_eq!(suspicions.is_empty(), is_guarded, "{sql}: {suspicions:?}");
    }
}

#[test]
fn an_isolation_level_is_a_guard_where_postgresql_makes_one_of_the_two_fail() {
    for (level, guards_rows, guards_inserts) in
        [("READ COMMITTED", false, false), ("REPEATABLE READ", true, false), ("SERIALIZABLE", true, true)]
    {
        let begin = format!("BEGIN ISOLATION LEVEL {level}");
        let (rows, _) = predict(&begin, |own| {
            own.read(READ, 2, 1).write(DECREMENT, 3, 1);
        });
        let (inserts, _) = predict(&begin, |own| {
            own.write("SELECT count(*) FROM orders WHERE product_id = $1", 2, 1).write(INSERT, 3, 1);
        });
        assert_eq!((rows.is_empty(), inserts.is_empty()), (guards_rows, guards_inserts), "{level}");
    }
}

#[test]
fn whether_anybody_looks_at_a_row_count_has_to_be_tried() {
    let (with_a_read, _) = predict("BEGIN", |own| {
        own.read(READ, 2, 1).write(GUARDED, 3, 1).write(INSERT, 4, 1);
    });
    assert_eq!(with_a_read, [(1, 2, Anomaly::RowCount)]);
    let (alone, _) = predict("BEGIN", |own| {
        own.write(GUARDED, 2, 1).write(INSERT, 3, 1);
    });
    assert_eq!(alone, [(1, 1, Anomaly::RowCount)]);
}

#[test]
fn a_lock_that_ends_before_its_transaction_is_no_guard_and_the_other_one_comes_after_its_end() {
    let of = |statements: &[&str]| {
        let mut own = Story::new().begin("replica-1", 8, "BEGIN", 1);
        for (index, sql) in statements.iter().enumerate() {
            own.write(sql, index as i64 + 2, 1);
        }
        let prediction = Prediction::of(&Reading::of([&own.commit(50).end()]), None);
        let before = prediction.suspicions.iter().map(|it| (it.given_up_by, it.statements_before()));
        before.collect::<Vec<_>>()
    };
    let (lock, unlock) = ("SELECT pg_advisory_lock($1)", "SELECT pg_advisory_unlock($1)");

    assert_eq!(of(&[lock, READ, DECREMENT, unlock]), [(Some(4), 5)]);
    assert_eq!(of(&[lock, READ, DECREMENT]), []);
    let savepoint = ["SAVEPOINT a", READ_FOR_UPDATE, "ROLLBACK TO a", READ, DECREMENT];
    assert_eq!(of(&savepoint), [(Some(3), 4), (Some(3), 5)]);
    assert_eq!(of(&["SAVEPOINT a", READ_FOR_UPDATE, "RELEASE a", READ, DECREMENT]), []);
    assert_eq!(of(&[READ, DECREMENT]), [(None, 2)]);
}

#[test]
fn a_number_that_another_replica_does_not_lock_is_no_guard() {
    let lock = "SELECT pg_advisory_xact_lock(hashtext($1))";
    let purchase = |number: Option<&str>| {
        let mut own = Story::new().begin("replica-1", 8, "BEGIN", 1);
        if let Some(number) = number {
            own.write(lock, 2, 1).with(number);
        }
        own.read(READ, 3, 1).write(DECREMENT, 4, 1);
        Reading::of([&own.commit(5).end()])
    };
    let suspicions =
        |other: Option<&str>| Prediction::of(&purchase(Some("a")), Some(&purchase(other))).suspicions.len();

    assert_eq!(suspicions(Some("b")), 1);
    assert_eq!(suspicions(Some("a")), 0);
    assert_eq!(suspicions(None), 0, "the other one may have ended before it came to its lock");
}
