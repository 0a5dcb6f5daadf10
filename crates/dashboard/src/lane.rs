//! One transaction as a lane: its statements on the clock of its click.

use chrono::{DateTime, Utc};
use flash_sale_wiretap::trace::{Outcome, Statement, Transaction};
use uuid::Uuid;

/// One transaction. Statements without a transaction, one after another on one connection, share a lane.
#[derive(Clone, Debug)]
pub struct Lane<'a> {
    /// A, B, C and so on, in the order in which the lanes began.
    pub letter: String,
    /// The replica that sent it.
    pub replica: &'a str,
    /// The process id of its connection in PostgreSQL.
    pub backend_pid: i32,
    /// Whether its statements have no transaction around them.
    pub is_lone: bool,
    /// Its transactions, in the order in which they began.
    pub parts: Vec<&'a Transaction>,
    /// Its statements, in the order in which they were sent.
    pub steps: Vec<Step<'a>>,
}

/// One statement on its click's clock.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// What was sent.
    pub statement: &'a Statement,
    /// The transaction that it belongs to.
    pub transaction: &'a Transaction,
    /// Its place in this transaction, from 1.
    pub place: usize,
    /// Milliseconds from the click's beginning until it was sent.
    pub began_ms: f64,
    /// Milliseconds from the click's beginning until it was answered. `None`: it has not been answered.
    pub ended_ms: Option<f64>,
}

impl Lane<'_> {
    /// How it ended. A lane of several transactions ended as the last of them that did not commit.
    pub fn outcome(&self) -> Outcome {
        let outcomes = || self.parts.iter().map(|part| part.outcome);
        outcomes().rev().find(|outcome| *outcome != Outcome::Committed).unwrap_or(Outcome::Committed)
    }

    /// The order that it inserted.
    pub fn order_id(&self) -> Option<Uuid> {
        self.parts.iter().find_map(|part| part.order_id)
    }

    /// How it ended, in words: `committed, order 6697f086`.
    pub fn ending(&self) -> String {
        let outcome = outcome_in_words(self.outcome());
        match self.order_id() {
            Some(id) => format!("{outcome}, order {}", short_id(id)),
            None => outcome.to_owned(),
        }
    }

    /// How many statements are known to be left out of its transactions.
    pub fn left_out(&self) -> usize {
        self.parts.iter().map(|part| part.left_out).sum()
    }
}

/// The outcome, as a person says it.
pub fn outcome_in_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Committed => "committed",
        Outcome::RolledBack => "rolled back",
        Outcome::Open => "still open",
        Outcome::Lost => "connection lost",
    }
}

/// The first eight digits of an id, as the shop's page shows them.
pub fn short_id(id: Uuid) -> String {
    id.simple().to_string()[..8].to_owned()
}

/// The transaction's statements, on a clock that begins at `began_at`.
pub fn steps<'a>(began_at: DateTime<Utc>, transaction: &'a Transaction) -> Vec<Step<'a>> {
    let offset = milliseconds_between(began_at, transaction.began_at);
    let step = |(place, statement): (usize, &'a Statement)| Step {
        statement,
        transaction,
        place: place + 1,
        began_ms: offset + statement.began_ms,
        ended_ms: statement.ended_ms.map(|ended| offset + ended),
    };
    transaction.statements.iter().enumerate().map(step).collect()
}

/// Milliseconds from the first time to the second.
pub fn milliseconds_between(begin: DateTime<Utc>, end: DateTime<Utc>) -> f64 {
    (end - begin).num_microseconds().map_or(0.0, |microseconds| microseconds as f64 / 1e3)
}
