//! Purchases that met another one, and were turned away because the other one was faster.

use crate::deed::{Deed, RowWrite};
use crate::evidence::Purchase;
use crate::mistake::{Found, Mistake};
use crate::reading::{QUANTITY, Reading, Sent};

/// A purchase met a conflict, its buyer was told "Out of stock", and nobody tried again.
pub(crate) fn refused(it: (usize, &Purchase)) -> Option<Found<'_>> {
    old_version(it).or_else(|| refused_by_conflict(it)).or_else(|| refused_by_tried_lock(it))
}

/// A purchase met a conflict, and began again.
pub(crate) fn tried_again((index, purchase): (usize, &Purchase)) -> Option<Found<'_>> {
    let reading = &purchase.reading;
    let failed = first_conflict(reading).filter(|(_, has_begun_again)| *has_begun_again);
    let is_followed = |sent: &&Sent| reading.product_reads().any(|read| read.began_at > sent.began_at);
    let in_vain = || reading.stock_writes().filter(|sent| has_met_old_row(sent)).find(is_followed);
    let met = failed.map(|(sent, _)| sent).or_else(in_vain)?;
    Some((Mistake::TriesUsedUp, vec![(index, met)]))
}

/// A write that changes the row only if nobody else has changed it changed no row, and its buyer was told "Out of stock".
fn old_version((index, purchase): (usize, &Purchase)) -> Option<Found<'_>> {
    let reading = &purchase.reading;
    let update = reading.stock_writes().filter(|_| purchase.status == Some(400)).last()?;
    if !has_met_old_row(update) || reading.product_reads().any(|sent| sent.began_at > update.began_at) {
        return None;
    }
    let read = reading.product_reads().last();
    let statements = read.into_iter().chain([update]).map(|sent| (index, sent)).collect();
    Some((Mistake::ConflictWithoutRetry, statements))
}

/// Whether it changes the row only if nobody else has changed it, and changed no row.
fn has_met_old_row(sent: &Sent) -> bool {
    let wants_old_row = |write: &RowWrite| {
        write.is_guarded() && (!write.conditions.contains(QUANTITY) || write.unchanged.contains(QUANTITY))
    };
    sent.rows == Some(0) && sent.stock_write().is_some_and(wants_old_row)
}

/// A conflict failed a statement, and its buyer was told "Out of stock" without another try.
fn refused_by_conflict((index, purchase): (usize, &Purchase)) -> Option<Found<'_>> {
    let (failed, has_begun_again) = first_conflict(&purchase.reading)?;
    let is_refused = purchase.status == Some(400) && !has_begun_again;
    is_refused.then(|| (Mistake::ConflictWithoutRetry, vec![(index, failed)]))
}

/// A lock was only tried, nothing was looked at afterwards, and its buyer was told "Out of stock".
fn refused_by_tried_lock((index, purchase): (usize, &Purchase)) -> Option<Found<'_>> {
    if purchase.status != Some(400) {
        return None;
    }
    let statements = &purchase.reading.statements;
    let tries = |deed: &Deed| matches!(deed, Deed::LockNumber(lock) if lock.is_tried);
    let tried = statements.iter().rposition(|sent| sent.deeds.iter().any(tries))?;
    let looks = |sent: &Sent| sent.deeds.iter().any(|deed| matches!(deed, Deed::Read(_) | Deed::Write(_)));
    let is_last = !statements[tried + 1..].iter().any(looks);
    is_last.then(|| (Mistake::ConflictWithoutRetry, vec![(index, &statements[tried])]))
}

/// The first statement that failed in a conflict, and whether the purchase began again afterwards.
fn first_conflict(reading: &Reading) -> Option<(&Sent, bool)> {
    let statements = &reading.statements;
    let failed = statements.iter().find(|sent| sent.error.as_deref().is_some_and(is_conflict))?;
    Some((failed, statements.iter().any(|sent| sent.transaction > failed.transaction)))
}

/// Whether a statement with this SQLSTATE failed only because of another transaction.
pub(crate) fn is_conflict(error: &str) -> bool {
    matches!(error, "40001" | "40P01" | "55P03")
}
