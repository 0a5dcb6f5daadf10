//! Makes transactions up, as the wire would have seen them. For the tests of this crate.

use chrono::{DateTime, TimeDelta, Utc};
use flash_sale_wiretap::trace::{Outcome, Statement, Transaction, Wait};
use serde_json::{Map, json};

pub(crate) const READ: &str =
    r#"SELECT "id", "quantity", "version" FROM "products" WHERE "products"."id" = $1 LIMIT $2"#;
pub(crate) const READ_FOR_UPDATE: &str =
    r#"SELECT "id", "quantity", "version" FROM "products" WHERE "products"."id" = $1 LIMIT $2 FOR UPDATE"#;
pub(crate) const INSERT: &str =
    r#"INSERT INTO "orders" ("product_id", "served_by") VALUES ($1, $2) RETURNING "id""#;
pub(crate) const DECREMENT: &str =
    r#"UPDATE "products" SET "quantity" = "quantity" - $1 WHERE "products"."id" = $2"#;

/// Counts the transactions that are made up.
pub(crate) struct Story {
    began_at: DateTime<Utc>,
    number: u64,
}

/// A transaction that is being made up. The times are in milliseconds since the story began.
pub(crate) struct Telling {
    transaction: Transaction,
    began_ms: i64,
}

impl Story {
    pub(crate) fn new() -> Self {
        Self { began_at: DateTime::from_timestamp(1_790_000_000, 0).unwrap(), number: 0 }
    }

    /// A transaction that begins with this statement.
    pub(crate) fn begin(&mut self, replica: &str, backend_pid: i32, sql: &str, at_ms: i64) -> Telling {
        self.number += 1;
        let transaction = Transaction {
            number: self.number,
            replica: replica.to_owned(),
            backend_pid,
            began_at: self.began_at + TimeDelta::milliseconds(at_ms),
            ended_at: None,
            outcome: Outcome::Open,
            order_id: None,
            statements: Vec::new(),
            left_out: 0,
        };
        let mut telling = Telling { transaction, began_ms: at_ms };
        telling.add(sql, at_ms);
        telling
    }

    /// A statement without a transaction.
    pub(crate) fn alone(&mut self, replica: &str, backend_pid: i32, sql: &str, at_ms: i64) -> Transaction {
        let mut telling = self.begin(replica, backend_pid, sql, at_ms);
        telling.transaction.outcome = Outcome::Committed;
        telling.transaction
    }
}

impl Telling {
    /// A statement that changed nothing and returned nothing.
    pub(crate) fn add(&mut self, sql: &str, at_ms: i64) -> &mut Self {
        let began_ms = (at_ms - self.began_ms) as f64;
        self.transaction.statements.push(Statement {
            sql: sql.to_owned(),
            parameters: Vec::new(),
            began_ms,
            ended_ms: Some(began_ms + 0.5),
            tag: None,
            rows: None,
            saw: None,
            error: None,
            message: None,
            blocked_by: None,
        });
        self
    }

    /// A read that saw this stock.
    pub(crate) fn read(&mut self, sql: &str, at_ms: i64, quantity: i64) -> &mut Self {
        self.add(sql, at_ms);
        let mut saw = Map::new();
        saw.insert("quantity".to_owned(), json!(quantity));
        self.last().saw = Some(saw);
        self.last().rows = Some(1);
        self
    }

    /// A write that changed so many rows.
    pub(crate) fn write(&mut self, sql: &str, at_ms: i64, rows: u64) -> &mut Self {
        self.add(sql, at_ms);
        self.last().rows = Some(rows);
        self
    }

    /// A statement that failed.
    pub(crate) fn fail(&mut self, sql: &str, at_ms: i64, error: &str) -> &mut Self {
        self.add(sql, at_ms);
        self.last().error = Some(error.to_owned());
        self
    }

    /// The last statement has this parameter.
    pub(crate) fn with(&mut self, parameter: &str) -> &mut Self {
        self.last().parameters.push(Some(parameter.to_owned()));
        self
    }

    /// The last statement waited until this time for a lock of another server process.
    pub(crate) fn waited(&mut self, until_ms: i64, backend_pid: i32) -> &mut Self {
        let until = (until_ms - self.began_ms) as f64;
        let last = self.last();
        let waited_ms = until - last.began_ms;
        last.ended_ms = Some(until + 0.5);
        last.blocked_by = Some(Wait { backend_pid, statement: None, waited_ms, lock: None });
        self
    }

    pub(crate) fn commit(&mut self, at_ms: i64) -> &mut Self {
        self.add("COMMIT", at_ms);
        self.last().tag = Some("COMMIT".to_owned());
        self.transaction.outcome = Outcome::Committed;
        self
    }

    pub(crate) fn rollback(&mut self, at_ms: i64) -> &mut Self {
        self.add("ROLLBACK", at_ms);
        self.transaction.outcome = Outcome::RolledBack;
        self
    }

    /// PostgreSQL answers this COMMIT with ROLLBACK, because a statement before it has failed.
    pub(crate) fn commit_in_vain(&mut self, at_ms: i64) -> &mut Self {
        self.add("COMMIT", at_ms);
        self.last().tag = Some("ROLLBACK".to_owned());
        self.transaction.outcome = Outcome::RolledBack;
        self
    }

    pub(crate) fn end(&self) -> Transaction {
        self.transaction.clone()
    }

    fn last(&mut self) -> &mut Statement {
        self.transaction.statements.last_mut().unwrap()
    }
}
