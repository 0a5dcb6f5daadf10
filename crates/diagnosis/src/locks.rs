//! Two purchases have both sold the one copy. Which lock was there, and why did it not help?

use crate::deed::Deed;
use crate::evidence::Purchase;
use crate::mistake::{Found, Mistake};
use crate::reading::{PRODUCTS, Reading, Sent};

/// What a lock is on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    /// The product's row, and only one transaction can have it.
    Row,
    /// The product's row, and several transactions can have it.
    RowTogether,
    /// The table of the products, or a number.
    Agreed,
    /// Something else.
    Elsewhere,
}

/// What the locks of purchases that have oversold say of the mistake. Without any lock, the write and the reads say it.
pub(crate) fn mistake_of_locks(purchases: &[Purchase]) -> Option<Found<'_>> {
    let reads = || purchases.iter().enumerate().filter_map(first_read);
    let writes = || purchases.iter().enumerate().filter_map(first_write);
    let found: Vec<_> = purchases.iter().map(|purchase| mistake_of_lock(&purchase.reading)).collect();
    // A lock that came too late shows in the purchase that was second.
    let worst = found
        .iter()
        .flatten()
        .map(|(mistake, _)| *mistake)
        .max_by_key(|it| *it == Mistake::LockAfterDecision);
    if let Some(mistake) = worst {
        let locks = found.iter().enumerate().filter_map(|(index, found)| Some((index, &found.as_ref()?.1)));
        let (taken, given_up): (Vec<_>, Vec<_>) =
            locks.map(|(index, lock)| ((index, lock.sent), (index, lock.given_up_by))).unzip();
        let mut statements: Vec<(usize, &Sent)> = taken;
        if statements.iter().all(|(_, sent)| sent.quantity().is_none()) {
            statements.extend(reads());
        }
        statements.extend(writes());
        statements.extend(given_up.into_iter().filter_map(|(index, sent)| Some((index, sent?))));
        return Some((mistake, statements));
    }
    if purchases.iter().any(|purchase| locks(&purchase.reading).count() > 0) {
        return None;
    }
    if purchases.iter().any(|purchase| purchase.reading.stock_writes().any(Sent::sets_computed_stock)) {
        return Some((Mistake::LostUpdate, reads().chain(writes()).collect()));
    }
    let looks_twice = |purchase: &Purchase| {
        let write = purchase.reading.stock_writes().next();
        let before = |read: &&Sent| write.is_none_or(|write| read.began_at < write.began_at);
        purchase.reading.product_reads().filter(before).count() > 1
    };
    if purchases.iter().all(looks_twice) {
        let all_reads = purchases
            .iter()
            .enumerate()
            .flat_map(|(index, purchase)| purchase.reading.product_reads().map(move |read| (index, read)));
        return Some((Mistake::SecondLook, all_reads.collect()));
    }
    Some((Mistake::NoLock, reads().chain(writes()).collect()))
}

fn first_read((index, purchase): (usize, &Purchase)) -> Option<(usize, &Sent)> {
    Some((index, purchase.reading.product_reads().next()?))
}

fn first_write((index, purchase): (usize, &Purchase)) -> Option<(usize, &Sent)> {
    Some((index, purchase.reading.stock_writes().next()?))
}

/// A lock of a purchase.
struct Lock<'a> {
    held: Held,
    /// The statement that takes it.
    sent: &'a Sent,
    /// The statement that ends it before the stock that was written is committed.
    given_up_by: Option<&'a Sent>,
}

/// The locks of a purchase, the best one of each statement.
fn locks(reading: &Reading) -> impl Iterator<Item = Lock<'_>> {
    reading.statements.iter().enumerate().filter_map(|(index, sent)| {
        let held = sent.deeds.iter().filter_map(|deed| Some((held(deed)?, deed)));
        let (held, deed) = held.min_by_key(|(held, _)| *held as u8)?;
        let write = reading.stock_writes().next();
        let given_up = write.and_then(|write| reading.given_up(index, deed, write));
        Some(Lock { held, sent, given_up_by: given_up.map(|place| &reading.statements[place]) })
    })
}

fn held(deed: &Deed) -> Option<Held> {
    match deed {
        Deed::Read(read) => {
            let lock = read.lock?;
            Some(match (read.table == PRODUCTS, lock.excludes_others()) {
                (true, true) => Held::Row,
                (true, false) => Held::RowTogether,
                (false, _) => Held::Elsewhere,
            })
        }
        Deed::LockTable { table, .. } if table == PRODUCTS => Some(Held::Agreed),
        Deed::LockTable { .. } => Some(Held::Elsewhere),
        Deed::LockNumber(lock) if lock.is_shared => Some(Held::RowTogether),
        Deed::LockNumber(_) => Some(Held::Agreed),
        _ => None,
    }
}

/// Why the lock of this purchase did not help, with the lock. `None`: it has none, or nothing is wrong with it.
fn mistake_of_lock(reading: &Reading) -> Option<(Mistake, Lock<'_>)> {
    let best = locks(reading).min_by_key(|lock| (lock.held as u8, lock.given_up_by.is_some()))?;
    let (held, lock) = (best.held, best.sent);
    let write = reading.stock_writes().next()?;
    let mistake = match held {
        Held::RowTogether => Mistake::LockTooWeak,
        Held::Elsewhere => Mistake::LockElsewhere,
        Held::Row | Held::Agreed if best.given_up_by.is_some() => Mistake::LockGivenUpEarly,
        // A lock on a number may also be one of the session.
        Held::Row | Held::Agreed if lock.transaction != write.transaction && !outlives_transaction(lock) => {
            match reading.transaction_of(lock).is_begun {
                true if lock.began_at > write.began_at => Mistake::LockAfterDecision,
                true => Mistake::LockGivenUpEarly,
                false => Mistake::LockOutsideTransaction,
            }
        }
        Held::Row | Held::Agreed => {
            let reads = || reading.product_reads().filter(|read| read.began_at < write.began_at);
            let mut stock_under_lock =
                reads().filter(|read| read.began_at >= lock.began_at).filter_map(Sent::quantity).peekable();
            let was_looked_at = stock_under_lock.peek().is_some();
            let decided_before = !was_looked_at && reads().any(|read| read.quantity().is_some());
            // What a statement reads beside its own lock is what was there before the statement waited.
            let mut beside = lock.deeds.iter().filter_map(|deed| deed.read_of(PRODUCTS));
            let reads_beside = beside.any(|read| read.lock.is_none());
            match held {
                _ if decided_before || reads_beside || stock_under_lock.any(|left| left <= 0) => {
                    Mistake::LockAfterDecision
                }
                // Both have the number, or the table, and none has waited.
                Held::Agreed => Mistake::LockElsewhere,
                _ => return None,
            }
        }
    };
    Some((mistake, best))
}

fn outlives_transaction(lock: &Sent) -> bool {
    lock.deeds.iter().any(|deed| matches!(deed, Deed::LockNumber(lock) if !lock.ends_with_transaction))
}
