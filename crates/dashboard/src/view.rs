//! Transactions as JSON: the interface for scripts.

use chrono::{DateTime, SecondsFormat, Utc};
use flash_sale_wiretap::trace::{Outcome, Statement, Transaction, Wait};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

/// One transaction of one connection. A statement outside a transaction is a transaction of its own.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransactionView {
    /// Counts all transactions. The page of a click is named by the first of its transactions.
    #[schema(example = 7)]
    number: u64,
    /// The replica that sent it.
    #[schema(example = "replica-1")]
    replica: String,
    /// The process id of its connection in PostgreSQL.
    #[schema(example = 4711)]
    backend_pid: i32,
    /// When its first statement was sent. All other times are milliseconds since then.
    #[serde(serialize_with = "to_the_microsecond")]
    #[schema(example = "2026-11-22T17:17:00.916123Z")]
    began_at: DateTime<Utc>,
    /// When it was over. `null`: it is open.
    #[serde(serialize_with = "to_the_microsecond_or_null")]
    ended_at: Option<DateTime<Utc>>,
    outcome: OutcomeView,
    /// The order that it inserted.
    order_id: Option<Uuid>,
    statements: Vec<StatementView>,
    /// How many statements more there were.
    left_out: usize,
}

/// How a transaction ended. `lost`: its connection ended before PostgreSQL said how.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeView {
    /// PostgreSQL answered its COMMIT.
    Committed,
    /// It was rolled back.
    RolledBack,
    /// It has not ended.
    Open,
    /// Nobody knows.
    Lost,
}

/// One statement.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementView {
    /// The SQL, as it was sent.
    sql: String,
    /// The values of `$1`, `$2` and so on, as text.
    parameters: Vec<Option<String>>,
    /// When it was sent.
    began_ms: f64,
    /// When it was answered. `null`: it has not been answered.
    ended_ms: Option<f64>,
    /// What PostgreSQL said it did.
    #[schema(example = "UPDATE 1")]
    tag: Option<String>,
    /// How many rows it returned or changed.
    rows: Option<u64>,
    /// The columns of the first row that it returned.
    #[schema(value_type = Option<Object>)]
    saw: Option<Map<String, Value>>,
    /// The SQLSTATE of its error.
    #[schema(example = "40P01")]
    error: Option<String>,
    /// The text of its error.
    message: Option<String>,
    /// Its wait for a lock of another transaction.
    blocked_by: Option<WaitView>,
}

/// A statement's wait for a lock.
#[derive(Debug, Serialize, ToSchema)]
pub struct WaitView {
    /// The process id of the connection that held the lock.
    backend_pid: i32,
    /// The statement that took the lock.
    statement: Option<String>,
    /// How long the statement waited.
    waited_ms: f64,
    /// The kind of the lock, in PostgreSQL's words.
    #[schema(example = "transactionid")]
    lock: Option<String>,
}

impl From<Transaction> for TransactionView {
    fn from(transaction: Transaction) -> Self {
        Self {
            number: transaction.number,
            replica: transaction.replica,
            backend_pid: transaction.backend_pid,
            began_at: transaction.began_at,
            ended_at: transaction.ended_at,
            outcome: match transaction.outcome {
                Outcome::Committed => OutcomeView::Committed,
                Outcome::RolledBack => OutcomeView::RolledBack,
                Outcome::Open => OutcomeView::Open,
                Outcome::Lost => OutcomeView::Lost,
            },
            order_id: transaction.order_id,
            statements: transaction.statements.into_iter().map(StatementView::from).collect(),
            left_out: transaction.left_out,
        }
    }
}

impl From<Statement> for StatementView {
    fn from(statement: Statement) -> Self {
        let Statement { sql, parameters, began_ms, ended_ms, tag, rows, saw, error, message, blocked_by } =
            statement;
        let blocked_by = blocked_by.map(WaitView::from);
        Self { sql, parameters, began_ms, ended_ms, tag, rows, saw, error, message, blocked_by }
    }
}

impl From<Wait> for WaitView {
    fn from(Wait { backend_pid, statement, waited_ms, lock }: Wait) -> Self {
        Self { backend_pid, statement, waited_ms, lock }
    }
}

fn to_the_microsecond<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

fn to_the_microsecond_or_null<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to_the_microsecond(time, serializer),
        None => serializer.serialize_none(),
    }
}
