//! What the wire saw of one transaction. Times are in milliseconds since the transaction began.

use chrono::{DateTime, Utc};
use flash_sale_core::database::BETWEEN_TWO_USERS;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// One transaction of one connection. A statement outside a transaction is a transaction of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transaction {
    /// Counts all transactions of this wire, from 1. A permalink names it.
    pub number: u64,
    /// The replica that the connection belongs to.
    pub replica: String,
    /// The process id of the connection's server process in PostgreSQL.
    pub backend_pid: i32,
    /// When its first statement was sent.
    pub began_at: DateTime<Utc>,
    /// When PostgreSQL said that the transaction is over. `None`: it is open.
    pub ended_at: Option<DateTime<Utc>>,
    /// How it ended.
    pub outcome: Outcome,
    /// The order that it inserted, if it inserted one.
    pub order_id: Option<Uuid>,
    /// What was sent, in the order in which it was sent.
    pub statements: Vec<Statement>,
    /// How many statements more there were. They are left out because there were too many.
    pub left_out: usize,
}

impl Transaction {
    /// Whether it only cleans a connection between two users, and is no part of a request.
    pub fn only_cleans(&self) -> bool {
        self.statements.iter().all(|statement| statement.sql == BETWEEN_TWO_USERS)
    }
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// PostgreSQL answered its COMMIT, or its only statement outside of a transaction.
    Committed,
    /// It was rolled back, by a ROLLBACK or because of an error.
    RolledBack,
    /// It has not ended.
    Open,
    /// Its connection ended before PostgreSQL said how the transaction ended.
    Lost,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// The SQL, as it was sent. Very long SQL is cut.
    pub sql: String,
    /// The values of `$1`, `$2` and so on, as text. `None`: NULL. A type that the wire can't read is said in brackets.
    pub parameters: Vec<Option<String>>,
    /// When it was sent.
    pub began_ms: f64,
    /// When PostgreSQL had answered it in full. `None`: it has not been answered.
    pub ended_ms: Option<f64>,
    /// What PostgreSQL said it did, for example `UPDATE 1`.
    pub tag: Option<String>,
    /// How many rows it returned or changed.
    pub rows: Option<u64>,
    /// The columns of the first row that it returned.
    pub saw: Option<Map<String, Value>>,
    /// The SQLSTATE of its error.
    pub error: Option<String>,
    /// The text of its error.
    pub message: Option<String>,
    /// The wait for another transaction's lock. The longest one, if there were several.
    pub blocked_by: Option<Wait>,
}

/// A statement's wait for a lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// The server process of the transaction that held the lock.
    pub backend_pid: i32,
    /// The statement that took the lock, as far as the wire saw it.
    pub statement: Option<String>,
    /// How long the statement waited, in milliseconds, as far as the wire saw it.
    pub waited_ms: f64,
    /// The kind of the lock, in PostgreSQL's words, for example `transactionid`.
    pub lock: Option<String>,
}
