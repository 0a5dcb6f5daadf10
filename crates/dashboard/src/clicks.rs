//! Groups transactions into clicks: purchases that overlap in time, or that begin shortly after one another.

use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use flash_sale_core::database::BETWEEN_TWO_USERS;
use flash_sale_diagnosis::sql::{Verb, Words};
use flash_sale_wiretap::trace::{Outcome, Transaction};

/// Purchases that begin within this time of one another are one click.
const TOGETHER: TimeDelta = TimeDelta::milliseconds(100);
/// A statement without a transaction may be decided on by a read that ended so long before it on its connection.
const READ_BEFORE: TimeDelta = TimeDelta::seconds(1);

/// Purchases that happened at the same time.
#[derive(Clone, Debug)]
pub struct Click {
    /// The number of its first transaction. A permalink names it.
    pub number: u64,
    /// When its first transaction began.
    pub began_at: DateTime<Utc>,
    /// Its transactions, in the order in which they began.
    pub transactions: Vec<Transaction>,
}

/// Which transactions are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Only purchases. Pages that only read, and resets, are left out.
    Purchases,
    /// All of them.
    All,
}

/// What a transaction is, as far as its statements tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It locks or changes products or orders, or reads a product in a transaction that may change something.
    Purchase,
    /// It reads a product without a transaction.
    LoneRead,
    /// Anything else.
    Other,
}

/// The clicks, newest first. The transactions may come in any order.
pub fn group(mut transactions: Vec<Transaction>, which: Which) -> Vec<Click> {
    transactions.sort_by_key(|transaction| (transaction.began_at, transaction.number));
    if which == Which::Purchases {
        keep_purchases(&mut transactions);
    }
    let mut clicks: Vec<Click> = Vec::new();
    let mut last_end = DateTime::<Utc>::MIN_UTC;
    for transaction in transactions {
        let (number, began_at) = (transaction.number, transaction.began_at);
        // What is open overlaps all that begins after it, however long its payment takes.
        let is_open = transaction.outcome == Outcome::Open;
        let end = if is_open { DateTime::<Utc>::MAX_UTC } else { end_of(&transaction) };
        match clicks.last_mut() {
            Some(click) if began_at <= last_end || began_at - last_begin(click) <= TOGETHER => {
                click.transactions.push(transaction);
                last_end = last_end.max(end);
            }
            _ => {
                clicks.push(Click { number, began_at, transactions: vec![transaction] });
                last_end = end;
            }
        }
    }
    clicks.reverse();
    clicks
}

/// When the transaction ended, as far as it is known. An open transaction ends with what was last seen of it.
pub fn end_of(transaction: &Transaction) -> DateTime<Utc> {
    let last =
        transaction.statements.iter().map(|statement| statement.ended_ms.unwrap_or(statement.began_ms));
    let last = last.fold(0.0, f64::max);
    transaction.ended_at.unwrap_or(transaction.began_at + TimeDelta::microseconds((last * 1e3) as i64))
}

/// Whether it is a statement, or several in one message, without a transaction around it.
pub fn is_lone(transaction: &Transaction) -> bool {
    !transaction.statements.iter().any(|statement| Words::of(&statement.sql).verb() == Verb::Begin)
}

fn last_begin(click: &Click) -> DateTime<Utc> {
    click.transactions.last().map_or(click.began_at, |transaction| transaction.began_at)
}

fn keep_purchases(transactions: &mut Vec<Transaction>) {
    // First of all, because it comes between a read and what is decided on it.
    transactions.retain(|transaction| !is_housekeeping(transaction));
    let kinds: Vec<Kind> = transactions.iter().map(kind).collect();
    let is_kept: Vec<bool> = (0..transactions.len())
        .map(|place| match kinds[place] {
            Kind::Purchase => true,
            Kind::LoneRead => is_decided_on(place, transactions, &kinds),
            Kind::Other => false,
        })
        .collect();
    let mut is_kept = is_kept.into_iter();
    transactions.retain(|_| is_kept.next().unwrap_or(false));
}

/// What a replica does for itself: it cleans a connection between two users, removes old keys, and looks for holds that
/// have lapsed.
fn is_housekeeping(transaction: &Transaction) -> bool {
    let of_a_replica = |sql: &str| {
        let words = Words::of(sql);
        let looks_for_holds = words.verb() == Verb::Select && words.has("holds");
        let cleans = words.verb() == Verb::Delete || looks_for_holds;
        sql == BETWEEN_TWO_USERS || (cleans && !words.names_a_table())
    };
    transaction.statements.iter().all(|statement| of_a_replica(&statement.sql))
}

fn kind(transaction: &Transaction) -> Kind {
    let words: Vec<Rc<Words>> =
        transaction.statements.iter().map(|statement| Words::of(&statement.sql)).collect();
    let is_reset = words.iter().any(|words| words.verb() == Verb::Delete && words.has("orders"));
    // SeaORM says it in a statement of its own, SET TRANSACTION.
    let is_read_only = words
        .iter()
        .any(|words| words.has("only") && (words.verb() == Verb::Begin || words.has("transaction")));
    let changes = |words: &Rc<Words>| {
        let writes = matches!(words.verb(), Verb::Insert | Verb::Update | Verb::Delete);
        (writes && words.names_a_table()) || words.lock().is_some()
    };
    let reads = words.iter().any(|words| words.verb() == Verb::Select && words.has("products"));
    if is_reset || is_read_only {
        Kind::Other
    } else if words.iter().any(changes) || (reads && !is_lone(transaction)) {
        Kind::Purchase
    } else if reads {
        Kind::LoneRead
    } else {
        Kind::Other
    }
}

/// Whether the next transaction of the same connection is a purchase without a transaction around it, and comes soon.
fn is_decided_on(read: usize, transactions: &[Transaction], kinds: &[Kind]) -> bool {
    let pid = transactions[read].backend_pid;
    let next = (read + 1..transactions.len()).find(|next| transactions[*next].backend_pid == pid);
    next.is_some_and(|next| {
        kinds[next] == Kind::Purchase
            && is_lone(&transactions[next])
            && transactions[next].began_at - end_of(&transactions[read]) <= READ_BEFORE
    })
}
