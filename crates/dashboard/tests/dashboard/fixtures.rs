//! Transactions to be shown.

use chrono::TimeDelta;
use flash_sale_dashboard::clicks::{Click, Which, group};
use flash_sale_wiretap::trace::{Outcome, Transaction, Wait};
use serde_json::json;
use uuid::Uuid;

/// Two purchases of the shop as shipped, and before them two reads of its page.
pub fn as_shipped() -> Vec<Transaction> {
    read(include_str!("fixtures/as_shipped.json"))
}

/// Two purchases of the repaired shop.
pub fn fixed() -> Vec<Transaction> {
    read(include_str!("fixtures/fixed.json"))
}

/// Two purchases without a transaction: three statements each.
pub fn no_transaction() -> Vec<Transaction> {
    read(include_str!("fixtures/no_transaction.json"))
}

/// One that ends with its connection, with a savepoint and an error, and one that is still open.
pub fn odd() -> Vec<Transaction> {
    read(include_str!("fixtures/odd.json"))
}

/// So many buyers at once of the repaired shop, which has ten copies. Each waits for the buyer before.
pub fn crowd(buyers: u64) -> Vec<Transaction> {
    let sold = fixed().pop().unwrap();
    let refused = fixed().remove(0);
    let buyers = (0..buyers).map(|buyer| {
        let is_sold = buyer < 10;
        let mut transaction = if is_sold { sold.clone() } else { refused.clone() };
        transaction.number = 100 + buyer;
        transaction.backend_pid = 5000 + buyer as i32;
        transaction.replica = format!("replica-{}", buyer % 2 + 1);
        transaction.began_at = sold.began_at + TimeDelta::milliseconds(buyer as i64);
        transaction.order_id = is_sold.then(|| Uuid::from_u128(u128::from(buyer + 1) << 100));
        let waited_ms = (105 * buyer.min(10)) as f64;
        for statement in &mut transaction.statements[1..] {
            statement.ended_ms = statement.ended_ms.map(|ended| ended + waited_ms);
        }
        for statement in &mut transaction.statements[2..] {
            statement.began_ms += waited_ms;
        }
        let last = transaction.statements.last().unwrap().ended_ms.unwrap();
        transaction.ended_at = Some(transaction.began_at + TimeDelta::microseconds((last * 1e3) as i64));
        let read = &mut transaction.statements[1];
        read.blocked_by = (buyer > 0).then(|| Wait {
            backend_pid: 5000 + buyer.min(10) as i32 - 1,
            statement: Some(read.sql.clone()),
            waited_ms,
            lock: Some("transactionid".to_owned()),
        });
        read.saw.as_mut().unwrap().insert("quantity".to_owned(), json!(10 - buyer.min(10)));
        transaction
    });
    let mut buyers: Vec<Transaction> = buyers.collect();
    buyers.reverse();
    assert!(buyers.iter().all(|buyer| buyer.outcome != Outcome::Open));
    buyers
}

/// The only click of these transactions.
#[track_caller]
pub fn click(transactions: Vec<Transaction>) -> Click {
    let mut clicks = group(transactions, Which::Purchases);
    assert_eq!(clicks.len(), 1, "{clicks:#?}");
    clicks.remove(0)
}

fn read(json: &str) -> Vec<Transaction> {
    serde_json::from_str(json).unwrap()
}
