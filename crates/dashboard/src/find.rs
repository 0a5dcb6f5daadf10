//! Finds clicks among the transactions that are kept.

use flash_sale_wiretap::trace::Transaction;

use crate::clicks::{Click, Which, group};
use crate::problem::Problem;
use crate::source::Source;

/// A page looks at so many transactions.
const MOST_TRANSACTIONS: usize = 2000;

/// The newest clicks, newest first.
pub fn newest(source: &Source, which: Which) -> Vec<Click> {
    group(source.newest(MOST_TRANSACTIONS), which)
}

/// The click with this transaction. Pages that only read are found too. `None`: the transaction is not kept.
pub fn kept(source: &Source, number: u64) -> Option<Click> {
    let found = among(source.newest(MOST_TRANSACTIONS), number);
    found.or_else(|| among(source.newest(usize::MAX), number))
}

/// As [`kept`], for a page.
///
/// # Errors
/// When the transaction is not kept.
pub(crate) fn click(source: &Source, number: u64) -> Result<Click, Problem> {
    kept(source, number).ok_or_else(|| Problem::no_such_click(number))
}

fn among(transactions: Vec<Transaction>, number: u64) -> Option<Click> {
    let has_it = |click: &Click| click.transactions.iter().any(|transaction| transaction.number == number);
    // It can't be here: reading and grouping takes time.
    if !transactions.iter().any(|transaction| transaction.number == number) {
        return None;
    }
    let purchase = group(transactions.clone(), Which::Purchases).into_iter().find(has_it);
    purchase.or_else(|| group(transactions, Which::All).into_iter().find(has_it))
}
