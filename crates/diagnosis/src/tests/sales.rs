//! Purchases that found nothing to sell, or took nothing, and were kept.

use super::*;

const CASE: &str = "UPDATE products SET quantity = CASE WHEN quantity > 0 THEN quantity - 1 ELSE quantity END
                    WHERE id = $1";

/// One purchase after the other, each with `parts` between BEGIN and COMMIT.
fn one_after_the_other(parts: impl Fn(&mut Telling, i64, i64)) -> Vec<Purchase> {
    let mut story = Story::new();
    let mut told = Vec::new();
    for (who, at, stock) in [(A, 0, 1), (B, 20, 0)] {
        let mut own = begin(&mut story, who, at + 1);
        parts(&mut own, at, stock);
        told.push(purchase(200, &[own.commit(at + 9)]));
    }
    told
}

#[test]
fn who_sees_that_nothing_is_left_and_sells_has_a_wrong_condition() {
    let locked = one_after_the_other(|own, at, stock| {
        own.read(READ_FOR_UPDATE, at + 2, stock).write(INSERT, at + 3, 1).write(DECREMENT, at + 4, 1);
    });

    let found = assert_named(Mistake::WrongCondition, &[Sign::Oversold], locked);
    let results: Vec<&str> = found.statements.iter().map(|it| it.result.as_str()).collect();
    assert_eq!((&*found.statements[0].purchase, results[0]), ("B", "saw quantity 0"), "{found:#?}");
}

#[test]
fn what_is_seen_after_its_own_write_counts_from_below_zero() {
    let taken_first = |offset: i64| {
        one_after_the_other(move |own, at, stock| {
            own.write(DECREMENT, at + 2, 1).read(READ, at + 3, stock + offset).write(INSERT, at + 4, 1);
        })
    };

    assert_named(Mistake::WrongCondition, &[Sign::Oversold], taken_first(-1));
    let name = of(&[Sign::Oversold], taken_first(0)).map(|found| found.name);
    assert_ne!(name, Some(Mistake::WrongCondition), "0 is what is left behind the last copy");
}

#[test]
fn a_second_look_that_nobody_heeds_is_no_wrong_condition() {
    let mut story = Story::new();
    let (mut a, mut b) = (begin(&mut story, A, 1), begin(&mut story, B, 2));
    b.read(READ, 3, 1);
    a.read(READ, 4, 1).read(READ_FOR_UPDATE, 5, 1).write(INSERT, 6, 1).write(DECREMENT, 7, 1).commit(8);
    b.read(READ_FOR_UPDATE, 9, 0).write(INSERT, 10, 1).write(DECREMENT, 11, 1).commit(12);

    let told = vec![purchase(200, &[&a]), purchase(200, &[&b])];
    assert_named(Mistake::LockAfterDecision, &[Sign::Oversold], told);
}

#[test]
fn two_writes_that_ask_for_the_stock_and_both_take_the_only_copy_have_a_wrong_condition() {
    let asked = |write: &'static str| {
        one_after_the_other(move |own, at, _| {
            own.write(write, at + 2, 1).write(INSERT, at + 3, 1);
        })
    };

    let sentence = assert_named(Mistake::WrongCondition, &[Sign::Oversold], asked(GUARDED)).sentence;
    assert!(sentence.contains("its condition is also true when the stock is 0"), "{sentence}");
    let sentence = assert_named(Mistake::WrongCondition, &[Sign::Oversold], asked(CASE)).sentence;
    assert!(sentence.contains("counts as changed whether a copy was taken or not"), "{sentence}");
    let name = of(&[Sign::Oversold], asked(DECREMENT)).map(|found| found.name);
    assert_ne!(name, Some(Mistake::WrongCondition), "this write asks for nothing");
}

#[test]
fn an_order_without_a_write_of_the_stock_never_takes_its_copy() {
    let taken = |last: Option<&'static str>| {
        let told = one_after_the_other(|own, at, _| {
            own.read(READ_FOR_UPDATE, at + 2, 1).write(INSERT, at + 3, 1);
            if let Some(last) = last {
                own.write(last, at + 4, 1);
            }
        });
        of(&[Sign::Oversold], told).map(|found| found.name)
    };

    assert_eq!(taken(None), Some(Mistake::CopyNeverTaken));
    assert_ne!(taken(Some(DECREMENT)), Some(Mistake::CopyNeverTaken));
    assert_ne!(
        taken(Some("SELECT take_copy($1)")),
        Some(Mistake::CopyNeverTaken),
        "nobody knows what it does"
    );
}
