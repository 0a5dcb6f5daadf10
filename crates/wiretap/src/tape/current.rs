//! The transaction that is open, and the exchange of it that is being answered.

use std::time::Instant;

use crate::recorded::{RecordedStatement, RecordedTransaction};
use crate::trace::Outcome;

/// The transaction that is open.
pub(super) struct Current {
    pub(super) transaction: RecordedTransaction,
    /// The index of the first statement of the exchange that is being answered.
    exchange_from: usize,
    /// Whether this exchange has failed.
    has_failed: bool,
    /// Whether a ROLLBACK was answered in this exchange.
    was_rolled_back: bool,
}

impl Current {
    pub(super) fn begin(transaction: RecordedTransaction) -> Self {
        Self { transaction, exchange_from: 0, has_failed: false, was_rolled_back: false }
    }

    /// The statement that PostgreSQL is working on, and its index. When all are answered, PostgreSQL still commits what
    /// the last one has done.
    pub(super) fn in_flight(&self) -> Option<(usize, &RecordedStatement)> {
        let exchange = self.transaction.statements.get(self.exchange_from..)?;
        let index = exchange.iter().position(|statement| statement.ended.is_none());
        let index = index.unwrap_or(exchange.len().saturating_sub(1));
        Some((self.exchange_from + index, exchange.get(index)?))
    }

    /// The index of the last statement of the exchange.
    pub(super) fn last_of_exchange(&self) -> Option<usize> {
        let last = self.transaction.statements.len().checked_sub(1)?;
        (last >= self.exchange_from).then_some(last)
    }

    /// The exchange has failed.
    pub(super) fn fail(&mut self) {
        self.has_failed = true;
    }

    /// A ROLLBACK was answered.
    pub(super) fn roll_back(&mut self) {
        self.was_rolled_back = true;
    }

    /// PostgreSQL has answered the exchange. Returns how the transaction ended, if PostgreSQL says with this status that
    /// it is over.
    pub(super) fn end_exchange(&mut self, status: u8, now: Instant) -> Option<Outcome> {
        let statements = &mut self.transaction.statements;
        if let Some([before @ .., last]) = statements.get_mut(self.exchange_from..) {
            last.ended = Some(now);
            for statement in before {
                statement.ended = statement.ended.or(Some(now));
            }
        }
        if status == b'I' {
            let is_undone = self.has_failed || self.was_rolled_back;
            return Some(if is_undone { Outcome::RolledBack } else { Outcome::Committed });
        }
        self.transaction.is_block = true;
        self.exchange_from = self.transaction.statements.len();
        (self.has_failed, self.was_rolled_back) = (false, false);
        None
    }
}
