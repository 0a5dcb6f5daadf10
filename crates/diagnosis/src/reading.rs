//! What the statements of one purchase did, in the order in which they were sent. It is made from what the wire saw, and
//! everything else in this crate is made from it.

use chrono::{DateTime, TimeDelta, Utc};
use flash_sale_wiretap::trace::{Outcome, Statement, Transaction, Wait};
use serde_json::{Map, Value};

use crate::deed::{Deed, Isolation, RowLock, RowRead, RowWrite, WriteVerb, excludes_its_like};
use crate::parts::deeds;
use crate::sql::label;

/// The table with a row for each product, and its column for the stock.
pub const PRODUCTS: &str = "products";
/// The column that says how many copies are left.
pub const QUANTITY: &str = "quantity";
/// The table with a row for each order.
pub const ORDERS: &str = "orders";

/// What one purchase did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Its statements, in the order in which they were sent.
    pub statements: Vec<Sent>,
    /// Its transactions, in the order in which they began.
    pub transactions: Vec<Kept>,
}

/// A transaction of a purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Whether it was begun by BEGIN. Otherwise it is one statement, whose locks end with it.
    pub is_begun: bool,
    /// The isolation level that it asked for. Without such a wish, it is the database's default.
    pub isolation: Option<Isolation>,
    /// How it ended.
    pub outcome: Outcome,
    /// The server process of its connection.
    pub backend_pid: i32,
}

/// A statement of a purchase.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// The index of its transaction in [`Reading::transactions`].
    pub transaction: usize,
    /// The SQL.
    pub sql: String,
    /// The SQL in a few words, as the timeline writes it: `SELECT FOR UPDATE`.
    pub label: String,
    /// The values of `$1`, `$2` and so on, as text.
    pub parameters: Vec<Option<String>>,
    /// What it does.
    pub deeds: Vec<Deed>,
    /// The columns of the first row that it returned.
    pub saw: Option<Map<String, Value>>,
    /// How many rows it returned or changed.
    pub rows: Option<u64>,
    /// What PostgreSQL said it did. A COMMIT of a transaction that has failed is answered by `ROLLBACK`.
    pub tag: Option<String>,
    /// The SQLSTATE of its error.
    pub error: Option<String>,
    /// Its wait for another transaction's lock, as far as the wire saw it.
    pub waited: Option<Wait>,
    /// Whether it has waited for another transaction's lock. The wire may miss a short wait.
    pub has_waited: bool,
    /// When it was sent.
    pub began_at: DateTime<Utc>,
    /// When it was answered. `None`: it was not.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Reading {
    /// Reads the transactions of one purchase.
    pub fn of<'a>(transactions: impl IntoIterator<Item = &'a Transaction>) -> Self {
        let mut transactions: Vec<&Transaction> = transactions.into_iter().collect();
        transactions.sort_by_key(|transaction| (transaction.began_at, transaction.number));
        let mut reading = Self::default();
        for (index, transaction) in transactions.into_iter().enumerate() {
            let sent = transaction.statements.iter().map(|statement| Sent::of(index, transaction, statement));
            let sent: Vec<Sent> = sent.collect();
            reading.transactions.push(Kept::of(transaction, &sent));
            reading.statements.extend(sent);
        }
        reading.statements.sort_by_key(|sent| sent.began_at);
        reading
    }

    /// Notes which statements have waited, as somebody else saw it: the SQL of each statement, in order, and whether it has
    /// waited.
    pub fn note_waits<'a>(&mut self, steps: impl IntoIterator<Item = (&'a str, bool)>) {
        let mut next = 0;
        for (sql, has_waited) in steps {
            // The wire cuts very long SQL.
            let is_it = |sent: &Sent| sql.starts_with(sent.sql.trim_end_matches('…'));
            let Some(place) = self.statements.iter().skip(next).position(is_it) else { continue };
            next += place;
            self.statements[next].has_waited |= has_waited;
            next += 1;
        }
    }

    /// The statements of the transaction with this index.
    pub fn of_transaction(&self, index: usize) -> impl Iterator<Item = &Sent> {
        self.statements.iter().filter(move |sent| sent.transaction == index)
    }

    /// The transaction of a statement.
    pub fn transaction_of(&self, sent: &Sent) -> &Kept {
        &self.transactions[sent.transaction]
    }

    /// The reads of the product's row.
    pub fn product_reads(&self) -> impl Iterator<Item = &Sent> {
        self.statements.iter().filter(|sent| sent.product_read().is_some())
    }

    /// The writes of the product's row that change the stock.
    pub fn stock_writes(&self) -> impl Iterator<Item = &Sent> {
        self.statements.iter().filter(|sent| sent.stock_write().is_some())
    }

    /// Whether it inserted an order, and kept it. A statement that looks before it inserts may insert nothing.
    pub fn has_sold(&self) -> bool {
        let has_inserted =
            |sent: &&Sent| sent.inserts_order() && sent.error.is_none() && sent.rows != Some(0);
        let mut writes = self.statements.iter().filter(has_inserted);
        writes.any(|sent| self.transaction_of(sent).outcome == Outcome::Committed)
    }
}

impl Kept {
    fn of(transaction: &Transaction, sent: &[Sent]) -> Self {
        let deeds = || sent.iter().flat_map(|sent| &sent.deeds);
        let mut isolation = deeds().filter_map(|deed| match deed {
            Deed::Begin(isolation) => *isolation,
            Deed::Isolate(isolation) => Some(*isolation),
            _ => None,
        });
        Self {
            is_begun: deeds().any(|deed| matches!(deed, Deed::Begin(_))),
            isolation: isolation.next_back(),
            outcome: transaction.outcome,
            backend_pid: transaction.backend_pid,
        }
    }
}

impl Sent {
    fn of(index: usize, transaction: &Transaction, statement: &Statement) -> Self {
        let at = |ms: f64| transaction.began_at + TimeDelta::microseconds((ms * 1000.0).round() as i64);
        Self {
            transaction: index,
            sql: statement.sql.clone(),
            label: label(&statement.sql),
            parameters: statement.parameters.clone(),
            deeds: deeds(&statement.sql),
            saw: statement.saw.clone(),
            rows: statement.rows,
            tag: statement.tag.clone(),
            error: statement.error.clone(),
            waited: statement.blocked_by.clone(),
            has_waited: statement.blocked_by.is_some(),
            began_at: at(statement.began_ms),
            ended_at: statement.ended_ms.map(at),
        }
    }

    /// Its read of the product's row.
    pub fn product_read(&self) -> Option<&RowRead> {
        self.deeds.iter().find_map(|deed| deed.read_of(PRODUCTS))
    }

    /// Its lock on the product's row.
    pub fn product_lock(&self) -> Option<RowLock> {
        self.deeds.iter().filter_map(|deed| deed.read_of(PRODUCTS)).find_map(|read| read.lock)
    }

    /// Whether it locks the product's row, or the table of the products, in a way that several transactions can share.
    pub fn shares_product(&self) -> bool {
        let shares_table = |deed: &Deed| match deed {
            Deed::LockTable { table, mode } => table == PRODUCTS && !excludes_its_like(mode),
            _ => false,
        };
        self.product_lock().is_some_and(|lock| !lock.excludes_others()) || self.deeds.iter().any(shares_table)
    }

    /// Its write of the product's stock.
    pub fn stock_write(&self) -> Option<&RowWrite> {
        let mut writes = self.deeds.iter().filter_map(|deed| deed.write_of(PRODUCTS));
        writes.find(|write| write.verb == WriteVerb::Update && write.change_of(QUANTITY).is_some())
    }

    /// Whether it writes a stock that the shop has computed before: `SET quantity = $1`.
    pub fn sets_computed_stock(&self) -> bool {
        let change = self.stock_write().and_then(|write| write.change_of(QUANTITY));
        change.is_some_and(|change| !change.is_relative)
    }

    /// Whether it inserts an order.
    pub fn inserts_order(&self) -> bool {
        self.writes_order(WriteVerb::Insert)
    }

    /// Whether it does this with an order.
    pub fn writes_order(&self, verb: WriteVerb) -> bool {
        self.deeds.iter().filter_map(|deed| deed.write_of(ORDERS)).any(|write| write.verb == verb)
    }

    /// The stock that its read saw.
    pub fn quantity(&self) -> Option<i64> {
        let value = self.saw.as_ref()?.get(QUANTITY)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }

    /// Whether it may do anything, because its words are not understood. What cleans a connection between two users, or
    /// changes a setting, does nothing with rows.
    pub fn is_not_understood(&self) -> bool {
        let first = self.sql.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        self.deeds.contains(&Deed::Other) && !["set", "reset", "show"].contains(&first.as_str())
    }

    /// Whether it ends its transaction.
    pub fn ends(&self) -> bool {
        self.deeds.iter().any(|deed| matches!(deed, Deed::Commit | Deed::Rollback))
    }

    /// Whether it is a COMMIT.
    pub fn commits(&self) -> bool {
        self.deeds.contains(&Deed::Commit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{DECREMENT, INSERT, READ, READ_FOR_UPDATE, Story};

    #[test]
    fn a_purchase_is_read_in_the_order_in_which_its_statements_were_sent() {
        let mut story = Story::new();
        let outside = story.alone("replica-1", 7, READ_FOR_UPDATE, 2);
        let mut own = story.begin("replica-1", 8, "BEGIN ISOLATION LEVEL REPEATABLE READ", 1);
        own.read(READ, 3, 1).write(INSERT, 4, 1).write(DECREMENT, 5, 1).commit(6);

        let reading = Reading::of([&outside, &own.end()]);

        let labels: Vec<&str> = reading.statements.iter().map(|sent| sent.label.as_str()).collect();
        assert_eq!(labels, ["BEGIN", "SELECT FOR UPDATE", "SELECT", "INSERT", "UPDATE", "COMMIT"]);
        let [begun, alone] = &reading.transactions[..] else { panic!("{:?}", reading.transactions) };
        assert_eq!((begun.is_begun, begun.isolation), (true, Some(Isolation::RepeatableRead)));
        assert_eq!((alone.is_begun, alone.isolation), (false, None));

        let reads: Vec<(bool, Option<i64>)> =
            reading.product_reads().map(|sent| (sent.product_lock().is_some(), sent.quantity())).collect();
        assert_eq!(reads, [(true, None), (false, Some(1))]);
        let write = reading.stock_writes().next().unwrap();
        let change = write.stock_write().unwrap().change_of(QUANTITY).unwrap();
        assert!(change.is_relative && !write.stock_write().unwrap().is_guarded());
        assert!(reading.has_sold());
    }

    #[test]
    fn a_wait_that_the_wire_has_missed_is_noted_at_its_statement() {
        let mut own = Story::new().begin("replica-2", 9, "BEGIN", 1);
        own.read(READ, 2, 1).read(READ, 3, 0).rollback(4);
        let mut reading = Reading::of([&own.end()]);

        reading.note_waits([("BEGIN", false), (READ, false), (READ, true), ("ROLLBACK", false)]);

        let waits: Vec<bool> = reading.statements.iter().map(|sent| sent.has_waited).collect();
        assert_eq!(waits, [false, false, true, false]);
    }

    #[test]
    fn what_was_rolled_back_was_not_sold() {
        let mut story = Story::new();
        let mut own = story.begin("replica-1", 8, "BEGIN", 1);
        own.read(READ, 2, 1).write(INSERT, 3, 1).rollback(4);

        assert!(!Reading::of([&own.end()]).has_sold());
    }

    #[test]
    fn waits_and_failures_are_kept() {
        let mut story = Story::new();
        let mut own = story.begin("replica-2", 9, "BEGIN", 1);
        own.read(READ_FOR_UPDATE, 2, 0).waited(6, 8).fail(DECREMENT, 7, "23514").commit_in_vain(8);

        let reading = Reading::of([&own.end()]);

        let read = reading.product_reads().next().unwrap();
        assert_eq!(read.waited.as_ref().map(|wait| (wait.backend_pid, wait.waited_ms)), Some((8, 4.0)));
        assert!(read.has_waited);
        assert_eq!(reading.stock_writes().next().unwrap().error.as_deref(), Some("23514"));
        let last = reading.statements.last().unwrap();
        assert!(last.commits() && last.tag.as_deref() == Some("ROLLBACK"));
        assert_eq!(reading.transactions[0].outcome, Outcome::RolledBack);
    }
}
