//! Loses answers to COMMITs of purchases: PostgreSQL has committed, and the client does not learn it.

use std::num::NonZeroUsize;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::protocol::answers::Answer;

/// The tag of COMMIT when the transaction had failed before, and of ROLLBACK TO SAVEPOINT too.
const ROLLED_BACK: &str = "ROLLBACK";
/// The letter in ReadyForQuery: no transaction is open.
pub(super) const IDLE: u8 = b'I';

/// A line loses answers as long as this value lives.
#[must_use]
pub struct AnswerLoss(Losses);

/// The answers that a line is to lose, and has lost.
#[derive(Clone, Default)]
pub(super) struct Losses(Arc<Mutex<Option<Count>>>);

struct Count {
    one_in: NonZeroUsize,
    committed: usize,
    lost: usize,
}

/// Finds the answer that tells a client of a purchase's COMMIT, among all answers of one connection. A statement that
/// is a transaction by itself has no COMMIT, so its own answer is the one.
#[derive(Default)]
pub(super) struct CommitWatch {
    /// Whether the open transaction holds a new order.
    has_order: bool,
}

impl AnswerLoss {
    /// From now on, no answer is lost. Returns how many were.
    pub fn end(self) -> usize {
        self.0.0.lock().take().map_or(0, |count| count.lost)
    }
}

impl Drop for AnswerLoss {
    fn drop(&mut self) {
        self.0.0.lock().take();
    }
}

impl Losses {
    pub(super) fn begin(&self, one_in: NonZeroUsize) -> AnswerLoss {
        *self.0.lock() = Some(Count { one_in, committed: 0, lost: 0 });
        AnswerLoss(self.clone())
    }

    pub(super) fn are_wanted(&self) -> bool {
        self.0.lock().is_some()
    }

    /// Counts a purchase that PostgreSQL has committed. Returns whether its answer is to be lost.
    pub(super) fn take_one(&self) -> bool {
        let mut wanted = self.0.lock();
        let Some(count) = wanted.as_mut() else { return false };
        count.committed += 1;
        let is_lost = count.committed.is_multiple_of(count.one_in.get());
        count.lost += usize::from(is_lost);
        is_lost
    }
}

impl CommitWatch {
    /// Takes note of a message. `inserts_orders`: it belongs to a statement that inserts orders. Returns whether it is
    /// the last message of an answer that tells of a purchase's COMMIT.
    pub(super) fn tells_of_purchase(&mut self, answer: &Answer<'_>, inserts_orders: bool) -> bool {
        match answer {
            Answer::Complete(ROLLED_BACK) | Answer::Failed(_) => self.has_order = false,
            Answer::Complete(tag) if inserts_orders && has_rows(tag) => self.has_order = true,
            Answer::Ready(IDLE) => return std::mem::take(&mut self.has_order),
            _ => {}
        }
        false
    }
}

/// Whether the statement with this tag has inserted or returned rows. An order was refused when it has not. (A batch
/// that finds no copy left returns a row of NULLs, and counts as a purchase.)
fn has_rows(tag: &str) -> bool {
    tag.rsplit(' ').next().is_some_and(|rows| rows.parse().is_ok_and(|rows: u64| rows > 0))
}
