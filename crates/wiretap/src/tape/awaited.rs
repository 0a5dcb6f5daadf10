//! What PostgreSQL has still to answer, in the order of its answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::protocol::sql::Prepared;
use crate::recorded::RecordedStatement;

/// Something that PostgreSQL has to answer.
pub(super) enum Step {
    Prepare(Arc<Prepared>, Instant),
    DescribeStatement(Arc<Prepared>),
    DescribePortal(Arc<Prepared>),
    Execute(Arc<Prepared>, Place),
    /// The end of an exchange: PostgreSQL says that it is ready.
    Ready,
}

/// Where a statement stands.
pub(super) enum Place {
    /// An earlier exchange is not over. It decides which transaction this statement belongs to.
    Waiting(Box<RecordedStatement>),
    /// In the current transaction, with this index.
    At(usize),
}

/// What PostgreSQL has still to answer.
#[derive(Default)]
pub(super) struct Awaited {
    steps: VecDeque<Step>,
}

impl Awaited {
    pub(super) fn add(&mut self, step: Step) {
        self.steps.push_back(step);
    }

    pub(super) fn clear(&mut self) {
        self.steps.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(super) fn next(&self) -> Option<&Step> {
        self.steps.front()
    }

    /// Whether all exchanges are answered but the one that is being sent.
    pub(super) fn is_first_exchange(&self) -> bool {
        !self.steps.iter().any(|step| matches!(step, Step::Ready))
    }

    /// The index of the statement that the next answer belongs to.
    pub(super) fn answered(&self) -> Option<usize> {
        match self.steps.front()? {
            Step::Execute(_, Place::At(index)) => Some(*index),
            _ => None,
        }
    }

    /// The index of the first statement of this exchange that is not answered.
    pub(super) fn first_executed(&self) -> Option<usize> {
        let exchange = self.steps.iter().take_while(|step| !matches!(step, Step::Ready));
        let mut executed = exchange.filter_map(|step| match step {
            Step::Execute(_, Place::At(index)) => Some(*index),
            _ => None,
        });
        executed.next()
    }

    /// Whether a COMMIT is among what is awaited.
    pub(super) fn has_commit(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Execute(sql, _) if sql.commits()))
    }

    /// Something was prepared.
    pub(super) fn take_prepared(&mut self) {
        self.steps.pop_front_if(|step| matches!(step, Step::Prepare(..)));
    }

    /// Something was described.
    pub(super) fn take_described(&mut self) -> Option<Arc<Prepared>> {
        let is_described =
            |step: &mut Step| matches!(step, Step::DescribeStatement(_) | Step::DescribePortal(_));
        match self.steps.pop_front_if(is_described) {
            Some(Step::DescribeStatement(prepared) | Step::DescribePortal(prepared)) => Some(prepared),
            _ => None,
        }
    }

    /// A statement was answered. More answers to a simple Query may come.
    pub(super) fn take_executed(&mut self) {
        self.steps.pop_front_if(|step| matches!(step, Step::Execute(prepared, _) if !prepared.is_simple));
    }

    /// PostgreSQL ignores each Sync that comes before the rows of a COPY.
    pub(super) fn ignore_syncs(&mut self) {
        while matches!(self.steps.get(1), Some(Step::Ready)) {
            self.steps.remove(1);
        }
    }

    /// The exchange was answered.
    pub(super) fn end_exchange(&mut self) {
        while self.steps.pop_front_if(|step| !matches!(step, Step::Ready)).is_some() {}
        self.steps.pop_front();
    }

    /// Takes the next statement of this exchange that waits for its place. `placed` is told where it stands then.
    pub(super) fn place_waiting(&mut self, mut place: impl FnMut(RecordedStatement) -> usize) {
        for step in &mut self.steps {
            match step {
                Step::Ready => return,
                Step::Execute(_, at @ Place::Waiting(_)) => {
                    if let Place::Waiting(statement) = std::mem::replace(at, Place::At(usize::MAX)) {
                        *at = Place::At(place(*statement));
                    }
                }
                _ => {}
            }
        }
    }
}
