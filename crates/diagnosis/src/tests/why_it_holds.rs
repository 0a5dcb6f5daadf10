//! Stories of fixes that hold, and what must be said of each.

use super::*;
use crate::why_it_holds;

const LOOKS_AND_SELLS: &str = "WITH taken AS (UPDATE products SET quantity = quantity - 1 WHERE id = $1 AND quantity > 0 \
     RETURNING id) INSERT INTO orders (product_id, served_by) SELECT id, $2 FROM taken RETURNING *";

/// A fix: A holds the row until it commits, and B waits.
fn fixed() -> Vec<Purchase> {
    let mut story = Story::new();
    let (mut a, mut b) = (begin(&mut story, A, 1), begin(&mut story, B, 2));
    a.read(READ_FOR_UPDATE, 3, 1);
    b.read(READ_FOR_UPDATE, 4, 0).waited(8, A.1);
    a.write(INSERT, 5, 1).write(DECREMENT, 6, 1).commit(7);
    b.rollback(9);
    vec![purchase(200, &[&a]), purchase(400, &[&b])]
}

#[test]
fn a_right_purchase_has_no_mistake_and_says_why_it_holds() {
    assert_eq!(of(&[], fixed()), None);

    let why = why_it_holds(&fixed()).unwrap();
    assert_eq!(
        why.sentence,
        "The second SELECT FOR UPDATE waited for the end of the first transaction, and then saw quantity 0. So the \
         second purchase sold nothing."
    );
    assert!(
        why.holds
            .unwrap()
            .starts_with("A purchase holds the product's row from its SELECT FOR UPDATE to its end.")
    );
}

/// A fix without a lock of its own. The second purchase keeps nothing, and its COMMIT is carried out.
#[test]
fn one_statement_that_looks_and_sells_says_why_it_holds() {
    let mut story = Story::new();
    let (mut a, mut b) = (begin(&mut story, A, 1), begin(&mut story, B, 2));
    a.read(READ, 3, 1).write(LOOKS_AND_SELLS, 5, 1).commit(7);
    b.read(READ, 4, 1).write(LOOKS_AND_SELLS, 6, 0).waited(8, A.1).commit(9);
    let purchases = [purchase(200, &[&a]), purchase(400, &[&b])];

    assert_eq!(of(&[], purchases.to_vec()), None);
    let why = why_it_holds(&purchases).unwrap();
    assert_eq!(
        why.sentence,
        "The second WITH … INSERT waited for the end of the first transaction, and then changed 0 rows: its condition \
         no longer held. So the second purchase sold nothing."
    );
    let holds = why.holds.unwrap();
    assert!(
        holds.starts_with("A purchase holds the product's row from its WITH … INSERT to its end."),
        "{holds}"
    );
}

#[test]
fn a_second_try_and_a_count_of_no_rows_are_told_as_what_they_are() {
    let mut story = Story::new();
    let mut a = begin(&mut story, A, 1);
    a.read(READ, 3, 1).write(GUARDED_BY_VERSION, 4, 1).write(INSERT, 5, 1).commit(6);
    let mut b = begin(&mut story, B, 2);
    b.read(READ, 3, 1).write(GUARDED_BY_VERSION, 5, 0).waited(7, A.1).rollback(8);
    let mut again = begin(&mut story, B, 9);
    again.read(READ, 10, 0).rollback(11);

    let why = why_it_holds(&[purchase(200, &[&a]), purchase(400, &[&b, &again])]).unwrap();
    assert_eq!(
        why.sentence,
        "The second UPDATE waited for the end of the first transaction, and then changed 0 rows: its condition no longer \
         held. The purchase began again, and this time it saw quantity 0. So the second purchase sold nothing."
    );
}
