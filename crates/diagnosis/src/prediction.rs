//! From one purchase that was alone: could it do harm if it ran twice at the same time? The method is that of 2AD (Warszawski
//! and Bailis, "ACIDRain", SIGMOD 2017): two statements meet when they touch the same table and one of them writes. A
//! read and a later write of one purchase meet the same two of the other one, each in the other's way: that is a circle,
//! and then the result may be one that no order of whole purchases has. A prediction is no proof in either direction:
//! some are impossible, so each has to be played, and a branch that the one purchase did not take can't be seen. A purchase
//! on another replica, made after the first one, shows whether both lock the same number.

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::deed::{Deed, Isolation, RowWrite, WriteVerb, excludes_its_like};
use crate::reading::{Reading, Sent};

/// What can be said of a purchase that was alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prediction {
    /// The pairs of statements that may do harm.
    pub suspicions: Vec<Suspicion>,
    /// The pairs that can't, with what stands in the way.
    pub guarded: Vec<Guarded>,
}

/// Two statements of a purchase between which another purchase may do the same two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// The index of the first statement in [`Reading::statements`].
    pub first: usize,
    /// The index of the second one.
    pub second: usize,
    /// What kind of harm it is.
    pub anomaly: Anomaly,
    /// The index of the statement that ends a lock before the transaction has ended.
    pub given_up_by: Option<usize>,
}

/// The kind of harm, in the field's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Anomaly {
    /// What was read decides whether something is written, and it may no longer be true then (check-then-act).
    StaleCheck,
    /// The value that is written was computed before, so another purchase's write is overwritten (lost update).
    LostUpdate,
    /// The write decides by itself whether it changes a row. Whether anybody looks at that can't be seen.
    RowCount,
}

/// Two statements that can't do harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// The index of the first statement in [`Reading::statements`].
    pub first: usize,
    /// The index of the second one.
    pub second: usize,
    /// The index of the statement that stands in the way.
    pub by: usize,
    /// In which way.
    pub guard: Guard,
}

/// What keeps another purchase away until the transaction has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// A lock on the rows that are read.
    RowLock,
    /// A lock on the whole table.
    TableLock,
    /// A lock on a number.
    NumberLock,
    /// The transaction has written the row before it reads it.
    EarlierWrite,
    /// PostgreSQL lets one of the two transactions fail.
    Isolation,
}

impl Suspicion {
    /// How many statements of the purchase come before the other purchase. A statement that reads its rows itself comes
    /// after the other purchase. A lock that ends early must have ended.
    pub fn statements_before(&self) -> usize {
        match self.given_up_by {
            None if self.first == self.second => self.first,
            given_up_by => self.first.max(given_up_by.unwrap_or_default()) + 1,
        }
    }
}

impl Prediction {
    /// Predicts from what one purchase did. `other` is what a purchase on another replica did afterwards.
    pub fn of(reading: &Reading, other: Option<&Reading>) -> Self {
        let mut prediction = Self::default();
        for (second, writing) in reading.statements.iter().enumerate() {
            for write in writes(writing).filter(|_| writing.error.is_none()) {
                prediction.add_write(reading, other, second, write);
            }
        }
        prediction.suspicions.sort_by_key(|suspicion| (suspicion.anomaly, suspicion.first, suspicion.second));
        prediction
    }

    fn add_write(&mut self, reading: &Reading, other: Option<&Reading>, second: usize, write: &RowWrite) {
        let before = reading.statements[..second].iter().enumerate();
        let reads = before.filter(|(_, sent)| reads(sent, &write.table)).map(|(first, _)| first);
        let (mut has_read, writing) = (false, &reading.statements[second]);
        for first in reads {
            has_read = true;
            match guard(reading, other, (first, second), &write.table) {
                Ok((by, guard)) => self.guarded.push(Guarded { first, second, by, guard }),
                Err(given_up_by) => {
                    self.add(Suspicion { first, second, anomaly: anomaly(write), given_up_by });
                }
            }
        }
        // It reads its rows itself, in the same statement.
        if !has_read && write.verb == WriteVerb::Update && write.is_guarded() && !writing.inserts_order() {
            self.add(Suspicion { first: second, second, anomaly: Anomaly::RowCount, given_up_by: None });
        }
    }

    fn add(&mut self, suspicion: Suspicion) {
        if !self.suspicions.contains(&suspicion) {
            self.suspicions.push(suspicion);
        }
    }
}

fn anomaly(write: &RowWrite) -> Anomaly {
    if write.verb == WriteVerb::Insert {
        Anomaly::StaleCheck
    } else if write.is_guarded() {
        Anomaly::RowCount
    } else if write.changes.iter().all(|change| change.is_relative) {
        Anomaly::StaleCheck
    } else {
        Anomaly::LostUpdate
    }
}

fn writes(sent: &Sent) -> impl Iterator<Item = &RowWrite> {
    sent.deeds.iter().filter_map(|deed| match deed {
        Deed::Write(write) => Some(write),
        _ => None,
    })
}

fn reads(sent: &Sent, table: &str) -> bool {
    sent.error.is_none() && sent.deeds.iter().any(|deed| deed.read_of(table).is_some())
}

/// What keeps another purchase from doing both statements between these two, and the statement that does it. An error:
/// nothing does, and the statement that has ended a lock too early, if there is one.
fn guard(
    reading: &Reading,
    other: Option<&Reading>,
    (first, second): (usize, usize),
    table: &str,
) -> Result<(usize, Guard), Option<usize>> {
    let (reading_it, writing) = (&reading.statements[first], &reading.statements[second]);
    let is_one_transaction =
        reading_it.transaction == writing.transaction && reading.transaction_of(reading_it).is_begun;
    // The first statement may lock what it reads, if no part of it reads the table without the lock: such a part sees what
    // was there before the statement waited. For the same reason, a lock on a number must be there before the statement.
    // A lock that is only tried makes nobody wait, and one trace doesn't show whether anybody looks at its answer. What
    // comes later is too late.
    let mut own_reads = reading_it.deeds.iter().filter_map(|deed| deed.read_of(table));
    let locks_all_it_reads = own_reads.all(|read| read.lock.is_some());
    let mut given_up_by = None;
    for (by, sent) in reading.statements[..=first].iter().enumerate() {
        let is_held = is_one_transaction && sent.transaction == writing.transaction;
        for deed in sent.deeds.iter().filter(|_| sent.error.is_none()) {
            let guard = match deed {
                Deed::Read(read) if is_held && read.table == table && (by < first || locks_all_it_reads) => {
                    read.lock.filter(|lock| lock.excludes_others()).map(|_| Guard::RowLock)
                }
                Deed::Write(write)
                    if is_held && by < first && write.table == table && write.verb != WriteVerb::Insert =>
                {
                    Some(Guard::EarlierWrite)
                }
                Deed::LockTable { table: locked, mode } if is_held && locked == table => {
                    excludes_its_like(mode).then_some(Guard::TableLock)
                }
                Deed::LockNumber(lock)
                    if by < first
                        && !lock.is_tried
                        && !lock.is_shared
                        && other.is_none_or(|other| locks_same_number(sent, other))
                        && (is_held || !lock.ends_with_transaction) =>
                {
                    Some(Guard::NumberLock)
                }
                _ => None,
            };
            let Some(guard) = guard else { continue };
            match reading.given_up(by, deed, writing) {
                None => return Ok((by, guard)),
                Some(place) => given_up_by = Some(place),
            }
        }
    }
    isolation_guard(reading, (first, second), table).ok_or(given_up_by)
}

/// Whether the other purchase has locked the same number. It may have ended before it came to its lock.
fn locks_same_number(sent: &Sent, other: &Reading) -> bool {
    let locks = |sent: &&Sent| sent.deeds.iter().any(|deed| matches!(deed, Deed::LockNumber(_)));
    let mut locks = other.statements.iter().filter(locks).peekable();
    locks.peek().is_none() || locks.any(|lock| lock.sql == sent.sql && lock.parameters == sent.parameters)
}

fn isolation_guard(
    reading: &Reading,
    (first, second): (usize, usize),
    table: &str,
) -> Option<(usize, Guard)> {
    let (reading_it, writing) = (&reading.statements[first], &reading.statements[second]);
    let is_one_transaction =
        reading_it.transaction == writing.transaction && reading.transaction_of(reading_it).is_begun;
    let isolation = reading.transaction_of(writing).isolation.filter(|_| is_one_transaction)?;
    let inserts = writes(writing).any(|write| write.table == table && write.verb == WriteVerb::Insert);
    let is_enough = match isolation {
        Isolation::ReadCommitted => false,
        // At this level, PostgreSQL notices a row that was changed. It doesn't notice a row that was added.
        Isolation::RepeatableRead => !inserts,
        Isolation::Serializable => true,
    };
    let begun = |sent: &Sent| {
        let is_it = |deed: &Deed| matches!(deed, Deed::Begin(Some(_)) | Deed::Isolate(_));
        sent.transaction == writing.transaction && sent.deeds.iter().any(is_it)
    };
    let by = reading.statements.iter().position(begun)?;
    is_enough.then_some((by, Guard::Isolation))
}
