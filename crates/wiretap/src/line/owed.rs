//! The exchanges that PostgreSQL owes an answer to.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::hold::Gate;
use super::shared::Shared;
use super::turnstile::Ticket;

/// An exchange that PostgreSQL owes an answer to.
pub(super) struct Owed {
    /// One byte answers it, before the protocol itself begins. All others end with ReadyForQuery.
    pub(super) is_byte: bool,
    /// The gate that is to hold this answer, and the statement that the answer belongs to.
    pub(super) gate: Option<(Gate, String)>,
    /// Its last statement inserts orders. This is looked at only while answers are to be lost.
    pub(super) inserts_orders: bool,
    /// What became of it at the turnstile, if it was held there.
    pub(super) ticket: Option<Ticket>,
    /// It prepares a statement, which is carried out in a later exchange.
    pub(super) only_prepares: bool,
    pub(super) _in_flight: InFlightCount,
}

/// Counts one more exchange that is under way, for as long as this value lives.
pub(super) struct InFlightCount(Arc<Shared>);

impl InFlightCount {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        shared.in_flight.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for InFlightCount {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}
