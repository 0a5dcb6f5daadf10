//! What is kept of a transaction while it runs and afterwards. Values are kept as they passed, and are made readable
//! only when somebody wants to read them: most of them nobody ever reads.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::protocol::answers::Failure;
use crate::protocol::bind::Bound;
use crate::protocol::sql::{Prepared, cut};
use crate::trace::{Outcome, Statement, Transaction, Wait};
use crate::values;

/// So many bytes of a statement's first row are kept at most.
const KEPT_OF_ROW: usize = 4 * 1024;
const LONGEST_MESSAGE: usize = 1024;
/// So many statements of a transaction are kept.
const MOST_STATEMENTS: usize = 200;
/// So many waits of one statement are kept.
const MOST_WAITS: usize = 16;
/// What a statement and a transaction take beside their values, roughly.
const BASE_SIZE: usize = 256;

/// A transaction.
#[derive(Clone)]
pub struct RecordedTransaction {
    /// Counts all transactions of the wire, from 1.
    pub number: u64,
    /// The replica that the connection belongs to.
    pub replica: Arc<str>,
    /// The process id of the connection's server process.
    pub backend_pid: i32,
    began: Instant,
    began_at: DateTime<Utc>,
    ended: Option<Instant>,
    outcome: Outcome,
    /// Its statements.
    pub statements: Vec<RecordedStatement>,
    left_out: usize,
    /// Whether PostgreSQL has said that a transaction is open: there was a BEGIN.
    pub is_block: bool,
    says_read_only: bool,
    writes_or_locks: bool,
}

/// A statement.
#[derive(Clone)]
pub struct RecordedStatement {
    prepared: Arc<Prepared>,
    bound: Option<Arc<Bound>>,
    began: Instant,
    /// When PostgreSQL had answered.
    pub ended: Option<Instant>,
    /// What PostgreSQL said it did.
    pub tag: Option<Box<str>>,
    returned: u64,
    /// The columns that were described for this statement alone.
    pub columns: Option<Arc<[u8]>>,
    first_row: Option<Box<[u8]>>,
    failure: Option<Failure>,
    waits: Vec<RecordedWait>,
    last_look: Option<Instant>,
}

/// A wait for another session's lock.
#[derive(Clone)]
struct RecordedWait {
    blocker: Blocker,
    from: Instant,
    /// `None`: until the statement ended.
    to: Option<Instant>,
}

/// Who holds a lock that a statement waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// The process id of the server process that holds the lock.
    pub pid: i32,
    /// The kind of the lock.
    pub lock: Option<String>,
    /// The statement that took it.
    pub statement: Option<String>,
}

impl RecordedTransaction {
    /// A transaction that begins now.
    pub fn begin(number: u64, replica: Arc<str>, backend_pid: i32, began: Instant) -> Self {
        let ago = TimeDelta::from_std(began.elapsed()).unwrap_or_default();
        Self {
            number,
            replica,
            backend_pid,
            began,
            began_at: Utc::now() - ago,
            ended: None,
            outcome: Outcome::Open,
            statements: Vec::new(),
            left_out: 0,
            is_block: false,
            says_read_only: false,
            writes_or_locks: false,
        }
    }

    /// Adds a statement, and returns its index. There is no statement behind the index when there are too many.
    pub fn add(&mut self, statement: RecordedStatement) -> usize {
        self.says_read_only |= statement.prepared.says_read_only;
        self.writes_or_locks |= statement.prepared.writes_or_locks;
        if self.statements.len() == MOST_STATEMENTS {
            self.left_out += 1;
            return usize::MAX;
        }
        self.statements.push(statement);
        self.statements.len() - 1
    }

    /// Notes the end. A statement without an answer stays without one.
    pub fn end(&mut self, outcome: Outcome, now: Instant) {
        self.outcome = outcome;
        self.ended = Some(now);
    }

    /// Whether it is worth keeping for longer: it writes or locks, or there was a BEGIN and it may write. The others are
    /// reads on their own, pages, and questions whether the database is well.
    pub fn matters(&self) -> bool {
        self.writes_or_locks || self.is_block && !self.says_read_only
    }

    /// How many bytes it takes, roughly.
    pub fn size(&self) -> usize {
        BASE_SIZE + self.statements.iter().map(RecordedStatement::size).sum::<usize>()
    }

    /// The last statement that may have taken a lock that is still held.
    pub fn locking_statement(&self) -> Option<&str> {
        let mut statements = self.statements.iter().rev();
        statements.find(|statement| statement.prepared.writes_or_locks).map(|found| &*found.prepared.text)
    }

    /// Makes it readable.
    pub fn read(&self) -> Transaction {
        let statements: Vec<Statement> =
            self.statements.iter().map(|statement| statement.read(self.began)).collect();
        let with_sql = self.statements.iter().zip(&statements);
        Transaction {
            number: self.number,
            replica: self.replica.to_string(),
            backend_pid: self.backend_pid,
            began_at: self.began_at,
            ended_at: self
                .ended
                .and_then(|ended| Some(self.began_at + TimeDelta::from_std(ended - self.began).ok()?)),
            outcome: self.outcome,
            order_id: with_sql.rev().find_map(|(recorded, read)| recorded.order_id(read)),
            statements,
            left_out: self.left_out,
        }
    }
}

impl RecordedStatement {
    /// A statement that was sent now.
    pub fn begin(prepared: Arc<Prepared>, bound: Option<Arc<Bound>>, began: Instant) -> Self {
        Self {
            prepared,
            bound,
            began,
            ended: None,
            tag: None,
            returned: 0,
            columns: None,
            first_row: None,
            failure: None,
            waits: Vec::new(),
            last_look: None,
        }
    }

    /// When it was sent.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Notes a row.
    pub fn take_row(&mut self, row: &[u8]) {
        self.returned += 1;
        if self.first_row.is_none() {
            self.first_row = Some(row[..row.len().min(KEPT_OF_ROW)].into());
        }
    }

    /// Notes an error. The first one counts.
    pub fn fail(&mut self, failure: &Failure) {
        let cut_message = |failure: &Failure| cut(failure.message.clone(), LONGEST_MESSAGE);
        self.failure.get_or_insert_with(|| Failure { message: cut_message(failure), ..failure.clone() });
    }

    /// Notes who blocks it at this moment; `None`: nobody.
    pub fn note_blocker(&mut self, blocker: Option<Blocker>, now: Instant) {
        // It may have begun to wait right after the look before this one.
        let from = self.last_look.replace(now).unwrap_or(self.began);
        let last = self.waits.last_mut().filter(|wait| wait.to.is_none());
        if last.as_ref().map(|wait| wait.blocker.pid) == blocker.as_ref().map(|blocker| blocker.pid) {
            return;
        }
        if let Some(last) = last {
            last.to = Some(now);
        }
        if let Some(blocker) = blocker
            && self.waits.len() < MOST_WAITS
        {
            self.waits.push(RecordedWait { blocker, from, to: None });
        }
    }

    fn size(&self) -> usize {
        let own_sql = if self.prepared.is_simple { self.prepared.text.len() } else { 0 };
        BASE_SIZE
            + own_sql
            + self.bound.as_ref().map_or(0, |bound| bound.size())
            + self.first_row.as_ref().map_or(0, |row| row.len())
            + self.columns.as_ref().map_or(0, |columns| columns.len())
    }

    fn read(&self, transaction_began: Instant) -> Statement {
        let milliseconds = |moment: Instant| {
            (moment.saturating_duration_since(transaction_began).as_secs_f64() * 1e6).round() / 1e3
        };
        let of_tag = self.tag.as_deref().and_then(|tag| tag.rsplit(' ').next()?.parse().ok());
        Statement {
            sql: self.prepared.text.clone(),
            parameters: self.parameters(),
            began_ms: milliseconds(self.began),
            ended_ms: self.ended.map(milliseconds),
            tag: self.tag.as_deref().map(str::to_owned),
            rows: of_tag.or((self.returned > 0).then_some(self.returned)),
            saw: self.saw(),
            error: self.failure.as_ref().map(|failure| failure.sqlstate.clone()),
            message: self.failure.as_ref().map(|failure| failure.message.clone()),
            blocked_by: self.longest_wait(),
        }
    }

    fn parameters(&self) -> Vec<Option<String>> {
        let Some(bound) = &self.bound else { return Vec::new() };
        let types = self.prepared.parameter_types.get().unwrap_or(&self.prepared.declared);
        let type_of = |index: usize| types.get(index).copied().unwrap_or(0);
        let values = bound.values().into_iter().enumerate();
        values.map(|(index, value)| values::text(type_of(index), value)).collect()
    }

    fn saw(&self) -> Option<Map<String, Value>> {
        let columns = self.columns.as_ref().or_else(|| self.prepared.columns.get())?;
        let formats = self.bound.as_ref().map(|bound| &bound.result_formats);
        values::row(columns, self.first_row.as_ref()?, formats)
    }

    fn longest_wait(&self) -> Option<Wait> {
        let waited = |wait: &RecordedWait| {
            let to = wait.to.or(self.ended).unwrap_or_else(Instant::now);
            to.saturating_duration_since(wait.from)
        };
        let wait = self.waits.iter().max_by_key(|wait| waited(wait))?;
        Some(Wait {
            backend_pid: wait.blocker.pid,
            statement: wait.blocker.statement.clone(),
            waited_ms: (waited(wait).as_secs_f64() * 1e6).round() / 1e3,
            lock: wait.blocker.lock.clone(),
        })
    }

    /// The id of the order that this statement has inserted: of the row that it returned, or of its parameters.
    fn order_id(&self, read: &Statement) -> Option<Uuid> {
        let has_inserted = self.prepared.inserts_orders() && self.failure.is_none() && read.rows != Some(0);
        if !has_inserted {
            return None;
        }
        let returned = read.saw.as_ref().and_then(|row| row.get("id")?.as_str()?.parse().ok());
        returned.or_else(|| read.parameters.get(id_parameter(&self.prepared.text)?)?.as_ref()?.parse().ok())
    }
}

/// The index of the parameter that an INSERT writes into the column `id`, if its values are parameters only.
fn id_parameter(sql: &str) -> Option<usize> {
    let (_, columns) = sql.split_once('(')?;
    let (columns, rest) = columns.split_once(')')?;
    let column = columns.split(',').position(|column| column.trim().trim_matches('"') == "id")?;
    let (_, values) = rest.split_once('(')?;
    let value = values.split(')').next()?.split(',').nth(column)?;
    value.trim().strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)
}
