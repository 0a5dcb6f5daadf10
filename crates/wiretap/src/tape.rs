//! What is known of one connection: it puts what the client sends and what PostgreSQL answers together, into
//! transactions.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::archive::Archive;
use crate::protocol::answers::{Answer, Failure};
use crate::protocol::bind::Bound;
use crate::protocol::requests::Request;
use crate::protocol::sql::Prepared;
use crate::recorded::{RecordedStatement, RecordedTransaction};
use crate::trace::Outcome;

/// So many messages may wait for their answers. A client that sends more is no longer read along.
const MOST_AWAITED: usize = 10_000;

/// What is known of one connection.
pub struct Tape {
    archive: Arc<Archive>,
    replica: Arc<str>,
    backend_pid: i32,
    /// What PostgreSQL has still to answer, in this order.
    awaited: VecDeque<Step>,
    current: Option<Current>,
    /// Whether PostgreSQL takes rows of a COPY. It ignores a Sync meanwhile.
    is_copying: bool,
    is_closed: bool,
}

/// Something that PostgreSQL has to answer.
enum Step {
    Prepare(Arc<Prepared>, Instant),
    DescribeStatement(Arc<Prepared>),
    DescribePortal(Arc<Prepared>),
    Execute(Arc<Prepared>, Place),
    /// The end of an exchange: PostgreSQL says that it is ready.
    Ready,
}

/// Where a statement stands.
enum Place {
    /// An earlier exchange is not over. It decides which transaction this statement belongs to.
    Waiting(Box<RecordedStatement>),
    /// In the current transaction, with this index.
    At(usize),
}

/// The transaction that is open.
struct Current {
    transaction: RecordedTransaction,
    /// The index of the first statement of the exchange that is being answered.
    exchange_from: usize,
    /// Whether this exchange has failed.
    has_failed: bool,
    /// Whether a ROLLBACK was answered in this exchange.
    was_rolled_back: bool,
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
            awaited: VecDeque::new(),
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
            Request::Start | Request::Call => self.awaited.push_back(Step::Ready),
            Request::Sync if self.is_copying => {}
            Request::Sync => self.awaited.push_back(Step::Ready),
            Request::Prepare(prepared) => self.awaited.push_back(Step::Prepare(prepared, now)),
            Request::DescribeStatement(prepared) => {
                self.awaited.push_back(Step::DescribeStatement(prepared));
            }
            Request::DescribePortal(prepared) => self.awaited.push_back(Step::DescribePortal(prepared)),
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
            Answer::Prepared => {
                self.awaited.pop_front_if(|step| matches!(step, Step::Prepare(..)));
            }
            Answer::ParameterTypes(types) => {
                if let Some(Step::DescribeStatement(prepared)) = self.awaited.front() {
                    let _ = prepared.parameter_types.set(types.clone());
                }
            }
            Answer::Columns(columns) => self.note_columns(columns),
            Answer::NoColumns => drop(self.take_described()),
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
        let Current { transaction, exchange_from, .. } = self.current.as_ref()?;
        let exchange = transaction.statements.get(*exchange_from..)?;
        let is_awaited = !self.awaited.is_empty();
        // When all are answered, PostgreSQL still commits what the last one has done.
        let index = exchange
            .iter()
            .position(|statement| statement.ended.is_none())
            .unwrap_or(exchange.len().saturating_sub(1));
        exchange.get(index).filter(|_| is_awaited).map(|statement| InFlight {
            transaction: transaction.number,
            index: exchange_from + index,
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
        let is_first_exchange = !self.awaited.iter().any(|step| matches!(step, Step::Ready));
        let place = if is_first_exchange {
            Place::At(self.attach(statement))
        } else {
            Place::Waiting(Box::new(statement))
        };
        self.awaited.push_back(Step::Execute(prepared, place));
        if is_simple {
            self.awaited.push_back(Step::Ready);
        }
    }

    /// Puts a statement into the open transaction, or into a new one. Returns its index there.
    fn attach(&mut self, statement: RecordedStatement) -> usize {
        let begin = || {
            let (number, replica) = (self.archive.next_number(), Arc::clone(&self.replica));
            let began = statement.began();
            let transaction = RecordedTransaction::begin(number, replica, self.backend_pid, began);
            Current { transaction, exchange_from: 0, has_failed: false, was_rolled_back: false }
        };
        let index = self.current.get_or_insert_with(begin).transaction.add(statement);
        self.archive.statement_sent.notify_one();
        self.archive.tell();
        index
    }

    fn note_columns(&mut self, columns: &[u8]) {
        if let Some(prepared) = self.take_described() {
            let _ = prepared.columns.set(columns.into());
        } else if let Some(statement) = self.answered_statement() {
            statement.columns.get_or_insert_with(|| columns.into());
        }
    }

    fn take_described(&mut self) -> Option<Arc<Prepared>> {
        let is_described =
            |step: &mut Step| matches!(step, Step::DescribeStatement(_) | Step::DescribePortal(_));
        match self.awaited.pop_front_if(is_described) {
            Some(Step::DescribeStatement(prepared) | Step::DescribePortal(prepared)) => Some(prepared),
            _ => None,
        }
    }

    /// The statement that the next answer belongs to.
    fn answered_statement(&mut self) -> Option<&mut RecordedStatement> {
        let Some(Step::Execute(_, Place::At(index))) = self.awaited.front() else { return None };
        self.current.as_mut()?.transaction.statements.get_mut(*index)
    }

    fn note_completion(&mut self, tag: Option<&str>, now: Instant) {
        if let Some(statement) = self.answered_statement() {
            statement.ended = Some(now);
            statement.tag = tag.map(Into::into).or(statement.tag.take());
        }
        let Some(Step::Execute(prepared, _)) = self.awaited.front() else { return };
        if let Some(current) = &mut self.current {
            current.was_rolled_back |= tag == Some("ROLLBACK") && !prepared.rolls_back_to_savepoint();
        }
        // More answers to a simple Query may come.
        self.awaited.pop_front_if(|step| matches!(step, Step::Execute(prepared, _) if !prepared.is_simple));
        self.archive.tell();
    }

    fn note_failure(&mut self, failure: &Failure, now: Instant) {
        let failed = self.failed_statement();
        if let Some(current) = &mut self.current {
            current.has_failed = true;
            if let Some(statement) = failed.and_then(|index| current.transaction.statements.get_mut(index)) {
                statement.fail(failure);
                statement.ended = Some(now);
            }
        }
        if failure.ends_session {
            // When it comes instead of the answer to a COMMIT, nobody knows whether the COMMIT was carried out.
            let commits = |step: &Step| matches!(step, Step::Execute(sql, _) if sql.commits());
            let outcome = if self.awaited.iter().any(commits) { Outcome::Lost } else { Outcome::RolledBack };
            self.end_transaction(outcome, now);
            self.close(now);
        }
    }

    /// The index of the statement that an error belongs to. A statement that could not even be prepared is added.
    fn failed_statement(&mut self) -> Option<usize> {
        let exchange = self.awaited.iter().take_while(|step| !matches!(step, Step::Ready));
        let executed = exchange.filter_map(|step| match step {
            Step::Execute(_, Place::At(index)) => Some(*index),
            _ => None,
        });
        if let Some(index) = { executed }.next() {
            return Some(index);
        }
        match self.awaited.front()? {
            Step::Prepare(prepared, sent) => {
                let statement = RecordedStatement::begin(Arc::clone(prepared), None, *sent);
                Some(self.attach(statement))
            }
            // Everything was answered, and then the transaction could not be committed.
            _ => {
                let current = self.current.as_ref()?;
                let last = current.transaction.statements.len().checked_sub(1)?;
                (last >= current.exchange_from).then_some(last)
            }
        }
    }

    fn begin_copy(&mut self) {
        let Some(Step::Execute(prepared, _)) = self.awaited.front() else { return };
        if prepared.is_simple {
            return;
        }
        self.is_copying = true;
        // PostgreSQL ignores a Sync that comes before the rows.
        while matches!(self.awaited.get(1), Some(Step::Ready)) {
            self.awaited.remove(1);
        }
    }

    fn note_ready(&mut self, status: u8, now: Instant) {
        while self.awaited.pop_front_if(|step| !matches!(step, Step::Ready)).is_some() {}
        self.awaited.pop_front();
        self.is_copying = false;
        if let Some(current) = &mut self.current {
            let exchange = current.transaction.statements.get_mut(current.exchange_from..);
            if let Some([before @ .., last]) = exchange {
                last.ended = Some(now);
                for statement in before {
                    statement.ended = statement.ended.or(Some(now));
                }
            }
            let is_undone = current.has_failed || current.was_rolled_back;
            if status == b'I' {
                self.end_transaction(if is_undone { Outcome::RolledBack } else { Outcome::Committed }, now);
            } else {
                let transaction = &mut current.transaction;
                transaction.is_block = true;
                current.exchange_from = transaction.statements.len();
                (current.has_failed, current.was_rolled_back) = (false, false);
            }
        }
        self.attach_next_exchange();
        self.archive.tell();
    }

    fn attach_next_exchange(&mut self) {
        for index in 0..self.awaited.len() {
            match &mut self.awaited[index] {
                Step::Ready => return,
                Step::Execute(_, place @ Place::Waiting(_)) => {
                    let Place::Waiting(statement) = std::mem::replace(place, Place::At(usize::MAX)) else {
                        return;
                    };
                    let attached = self.attach(*statement);
                    if let Step::Execute(_, place) = &mut self.awaited[index] {
                        *place = Place::At(attached);
                    }
                }
                _ => {}
            }
        }
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
