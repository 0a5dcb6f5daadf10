//! What is known of one connection: it puts what the client sends and what PostgreSQL answers together, into
//! transactions. `tape/awaited.rs` has what PostgreSQL has still to answer, `tape/current.rs` the open transaction.

mod awaited;
mod current;

use std::sync::Arc;
use std::time::Instant;

use crate::archive::Archive;
use crate::protocol::answers::{Answer, Failure};
use crate::protocol::bind::Bound;
use crate::protocol::requests::Request;
use crate::protocol::sql::Prepared;
use crate::recorded::{RecordedStatement, RecordedTransaction};
use crate::trace::Outcome;
use awaited::{Awaited, Place, Step};
use current::Current;

/// So many messages may wait for their answers. A client that sends more is no longer read along.
const MOST_AWAITED: usize = 10_000;

/// What is known of one connection.
pub struct Tape {
    archive: Arc<Archive>,
    replica: Arc<str>,
    backend_pid: i32,
    awaited: Awaited,
    current: Option<Current>,
    /// Whether PostgreSQL takes rows of a COPY. It ignores a Sync meanwhile.
    is_copying: bool,
    is_closed: bool,
}

/// The statement that PostgreSQL is working on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// The number of its transaction.
    pub transaction: u64,
    /// Its index in the transaction.
    pub index: usize,
    /// The server process that works on it.
    pub backend_pid: i32,
    /// When it was sent.
    pub since: Instant,
}

impl Tape {
    /// A connection of this replica.
    pub fn new(archive: Arc<Archive>, replica: Arc<str>) -> Self {
        Self {
            archive,
            replica,
            backend_pid: 0,
            awaited: Awaited::default(),
            current: None,
            is_copying: false,
            is_closed: false,
        }
    }

    /// Notes what the client has sent.
    pub fn note_request(&mut self, request: Request, now: Instant) {
        if self.is_closed {
            return;
        }
        match request {
            Request::Start | Request::Call => self.awaited.add(Step::Ready),
            Request::Sync if self.is_copying => {}
            Request::Sync => self.awaited.add(Step::Ready),
            Request::Prepare(prepared) => self.awaited.add(Step::Prepare(prepared, now)),
            Request::DescribeStatement(prepared) => {
                self.awaited.add(Step::DescribeStatement(prepared));
            }
            Request::DescribePortal(prepared) => self.awaited.add(Step::DescribePortal(prepared)),
            Request::Execute(prepared, bound) => self.note_statement(prepared, bound, now),
            Request::CopyEnds => self.is_copying = false,
            Request::AsksForEncryption | Request::Bind | Request::Other => {}
        }
        if self.awaited.len() > MOST_AWAITED {
            self.close(now);
        }
    }

    /// Notes what PostgreSQL has answered.
    pub fn note_answer(&mut self, answer: &Answer<'_>, now: Instant) {
        match answer {
            Answer::BackendPid(pid) => self.backend_pid = *pid,
            Answer::Prepared => self.awaited.take_prepared(),
            Answer::ParameterTypes(types) => {
                if let Some(Step::DescribeStatement(prepared)) = self.awaited.next() {
                    let _ = prepared.parameter_types.set(types.clone());
                }
            }
            Answer::Columns(columns) => self.note_columns(columns),
            Answer::NoColumns => drop(self.awaited.take_described()),
            Answer::Row(row) => {
                if let Some(statement) = self.answered_statement() {
                    statement.take_row(row);
                }
            }
            Answer::Complete(tag) => self.note_completion(Some(tag), now),
            Answer::Suspended => self.note_completion(None, now),
            Answer::Failed(failure) => self.note_failure(failure, now),
            Answer::WantsCopy => self.begin_copy(),
            Answer::Ready(status) => self.note_ready(*status, now),
            Answer::Byte(_) | Answer::Other => {}
        }
    }

    /// The connection has ended, or can't be read any more.
    pub fn close(&mut self, now: Instant) {
        self.is_closed = true;
        self.awaited.clear();
        self.end_transaction(Outcome::Lost, now);
    }

    /// The transaction that is open.
    pub fn open_transaction(&self) -> Option<&RecordedTransaction> {
        Some(&self.current.as_ref()?.transaction)
    }

    /// The process id of the connection's server process.
    pub fn backend_pid(&self) -> i32 {
        self.backend_pid
    }

    /// The statement that PostgreSQL is working on.
    pub fn in_flight(&self) -> Option<InFlight> {
        let current = self.current.as_ref().filter(|_| !self.awaited.is_empty())?;
        let (index, statement) = current.in_flight()?;
        Some(InFlight {
            transaction: current.transaction.number,
            index,
            backend_pid: self.backend_pid,
            since: statement.began(),
        })
    }

    /// The statement that was in flight, if its transaction has not ended.
    pub fn statement_in_flight(&mut self, in_flight: InFlight) -> Option<&mut RecordedStatement> {
        let transaction = &mut self.current.as_mut()?.transaction;
        let is_same = transaction.number == in_flight.transaction;
        transaction.statements.get_mut(in_flight.index).filter(|_| is_same)
    }

    fn note_statement(&mut self, prepared: Arc<Prepared>, bound: Option<Arc<Bound>>, now: Instant) {
        let statement = RecordedStatement::begin(Arc::clone(&prepared), bound, now);
        let is_simple = prepared.is_simple;
        let place = if self.awaited.is_first_exchange() {
            Place::At(self.attach(statement))
        } else {
            Place::Waiting(Box::new(statement))
        };
        self.awaited.add(Step::Execute(prepared, place));
        if is_simple {
            self.awaited.add(Step::Ready);
        }
    }

    /// Puts a statement into the open transaction, or into a new one. Returns its index there.
    fn attach(&mut self, statement: RecordedStatement) -> usize {
        let begin = || {
            let (number, replica) = (self.archive.next_number(), Arc::clone(&self.replica));
            let began = statement.began();
            let transaction = RecordedTransaction::begin(number, replica, self.backend_pid, began);
            Current::begin(transaction)
        };
        let index = self.current.get_or_insert_with(begin).transaction.add(statement);
        self.archive.statement_sent.notify_one();
        self.archive.tell();
        index
    }

    fn note_columns(&mut self, columns: &[u8]) {
        if let Some(prepared) = self.awaited.take_described() {
            let _ = prepared.columns.set(columns.into());
        } else if let Some(statement) = self.answered_statement() {
            statement.columns.get_or_insert_with(|| columns.into());
        }
    }

    /// The statement that the next answer belongs to.
    fn answered_statement(&mut self) -> Option<&mut RecordedStatement> {
        let index = self.awaited.answered()?;
        self.current.as_mut()?.transaction.statements.get_mut(index)
    }

    fn note_completion(&mut self, tag: Option<&str>, now: Instant) {
        if let Some(statement) = self.answered_statement() {
            statement.ended = Some(now);
            statement.tag = tag.map(Into::into).or(statement.tag.take());
        }
        let Some(Step::Execute(prepared, _)) = self.awaited.next() else { return };
        if let Some(current) = &mut self.current
            && tag == Some("ROLLBACK")
            && !prepared.rolls_back_to_savepoint()
        {
            current.roll_back();
        }
        self.awaited.take_executed();
        self.archive.tell();
    }

    fn note_failure(&mut self, failure: &Failure, now: Instant) {
        let failed = self.failed_statement();
        if let Some(current) = &mut self.current {
            current.fail();
            if let Some(statement) = failed.and_then(|index| current.transaction.statements.get_mut(index)) {
                statement.fail(failure);
                statement.ended = Some(now);
            }
        }
        if failure.ends_session {
            // When it comes instead of the answer to a COMMIT, nobody knows whether the COMMIT was carried out.
            let outcome = if self.awaited.has_commit() { Outcome::Lost } else { Outcome::RolledBack };
            self.end_transaction(outcome, now);
            self.close(now);
        }
    }

    /// The index of the statement that an error belongs to. A statement that could not even be prepared is added.
    fn failed_statement(&mut self) -> Option<usize> {
        if let Some(index) = self.awaited.first_executed() {
            return Some(index);
        }
        match self.awaited.next()? {
            Step::Prepare(prepared, sent) => {
                let statement = RecordedStatement::begin(Arc::clone(prepared), None, *sent);
                Some(self.attach(statement))
            }
            // Everything was answered, and then the transaction could not be committed.
            _ => self.current.as_ref()?.last_of_exchange(),
        }
    }

    fn begin_copy(&mut self) {
        let Some(Step::Execute(prepared, _)) = self.awaited.next() else { return };
        if prepared.is_simple {
            return;
        }
        self.is_copying = true;
        self.awaited.ignore_syncs();
    }

    fn note_ready(&mut self, status: u8, now: Instant) {
        self.awaited.end_exchange();
        self.is_copying = false;
        if let Some(outcome) = self.current.as_mut().and_then(|current| current.end_exchange(status, now)) {
            self.end_transaction(outcome, now);
        }
        self.attach_next_exchange();
        self.archive.tell();
    }

    fn attach_next_exchange(&mut self) {
        let mut awaited = std::mem::take(&mut self.awaited);
        awaited.place_waiting(|statement| self.attach(statement));
        self.awaited = awaited;
    }

    fn end_transaction(&mut self, outcome: Outcome, now: Instant) {
        if let Some(Current { mut transaction, .. }) = self.current.take() {
            transaction.end(outcome, now);
            self.archive.keep(transaction);
        }
    }
}

#[cfg(test)]
mod tests;
