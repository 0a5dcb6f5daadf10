//! What is wrong with sales that no lock could put right: a purchase was kept although it found nothing to sell, or took
//! nothing.

use flash_sale_wiretap::trace::Outcome;

use crate::deed::{Deed, RowWrite};
use crate::evidence::Purchase;
use crate::mistake::{Found, Mistake};
use crate::reading::{ORDERS, QUANTITY, Reading, Sent};

/// The mistake of purchases that have both sold the one copy.
pub(crate) fn mistake_of_sales(purchases: &[Purchase]) -> Option<Found<'_>> {
    let each = || purchases.iter().enumerate().filter(|(_, purchase)| purchase.reading.has_sold());
    each()
        .find_map(unread_row_count)
        .or_else(|| each().find_map(sold_at_none_left))
        .or_else(|| condition_of_writes(purchases))
        .or_else(|| copy_never_taken(purchases))
}

/// A write that decides again changed no row, and the purchase was kept.
fn unread_row_count((index, purchase): (usize, &Purchase)) -> Option<Found<'_>> {
    let update = kept_writes(&purchase.reading, 0).find(|(_, write)| write.is_guarded())?.0;
    let order = purchase.reading.statements.iter().filter(|sent| sent.inserts_order());
    Some((Mistake::UnreadRowCount, order.chain([update]).map(|sent| (index, sent)).collect()))
}

/// Each look at the stock said that nothing was left, and the purchase went on.
fn sold_at_none_left((index, purchase): (usize, &Purchase)) -> Option<Found<'_>> {
    let reading = &purchase.reading;
    let order = reading.statements.iter().find(|sent| sent.inserts_order())?;
    let taken_at = reading.stock_writes().find(|sent| sent.rows == Some(1)).map(|sent| sent.began_at);
    let looks = || {
        let before = reading.product_reads().filter(|sent| sent.began_at < order.began_at);
        // After its own write, 0 says that the purchase has the last copy.
        before.filter_map(|sent| {
            let least = i64::from(taken_at.is_none_or(|taken_at| sent.began_at < taken_at));
            Some((sent, sent.quantity()? >= least))
        })
    };
    let found_none = looks().next().is_some() && looks().all(|(_, has_found)| !has_found);
    found_none.then(|| {
        let statements = looks().map(|(sent, _)| sent).chain([order]);
        (Mistake::WrongCondition, statements.map(|sent| (index, sent)).collect())
    })
}

/// Two writes have each asked for the stock as it was at that moment, and each has let its purchase through.
fn condition_of_writes(purchases: &[Purchase]) -> Option<Found<'_>> {
    let asks = |write: &RowWrite| {
        let is_guarded = write.conditions.contains(QUANTITY) && !write.unchanged.contains(QUANTITY);
        let change = write.change_of(QUANTITY).filter(|change| change.is_relative);
        change.is_some_and(|change| is_guarded || change.is_conditional)
    };
    let writes: Vec<(usize, &Sent)> = purchases
        .iter()
        .enumerate()
        .filter_map(|(index, purchase)| {
            let (sent, _) = kept_writes(&purchase.reading, 1).find(|(_, write)| asks(write))?;
            Some((index, sent))
        })
        .collect();
    (writes.len() > 1).then_some((Mistake::WrongCondition, writes))
}

/// No statement of these purchases has written anything but orders.
fn copy_never_taken(purchases: &[Purchase]) -> Option<Found<'_>> {
    let may_take = |sent: &Sent| {
        let writes = |deed: &Deed| matches!(deed, Deed::Write(write) if write.table != ORDERS);
        sent.is_not_understood() || sent.deeds.iter().any(writes)
    };
    if purchases.iter().any(|purchase| purchase.reading.statements.iter().any(may_take)) {
        return None;
    }
    let tells = |sent: &&Sent| sent.quantity().is_some() || sent.inserts_order() || sent.commits();
    let statements = purchases.iter().enumerate().flat_map(|(index, purchase)| {
        purchase.reading.statements.iter().filter(tells).map(move |sent| (index, sent))
    });
    Some((Mistake::CopyNeverTaken, statements.collect()))
}

/// The writes of the stock that have changed so many rows, and were committed.
fn kept_writes(reading: &Reading, rows: u64) -> impl Iterator<Item = (&Sent, &RowWrite)> {
    let is_kept = move |sent: &&Sent| {
        sent.rows == Some(rows) && reading.transaction_of(sent).outcome == Outcome::Committed
    };
    reading.stock_writes().filter(is_kept).filter_map(|sent| Some((sent, sent.stock_write()?)))
}
