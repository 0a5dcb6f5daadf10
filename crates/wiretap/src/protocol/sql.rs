//! The SQL of a statement, and what its words say about it. It is not parsed: a learner may send anything.

use std::sync::{Arc, OnceLock};

/// So many bytes of a statement's SQL are kept at most.
const LONGEST_SQL: usize = 8 * 1024;
/// A statement with one of these words writes or locks.
const WRITES_OR_LOCKS: [&str; 16] = [
    "insert", "update", "delete", "merge", "truncate", "lock", "share", "copy", "nextval", "setval",
    "create", "alter", "drop", "call", "do", "prepare",
];
/// These functions lock a number.
const ADVISORY: [&str; 2] = ["pg_advisory_", "pg_try_advisory_"];

/// A statement's SQL, and what PostgreSQL said about its parameters and columns.
#[derive(Debug, Default)]
pub struct Prepared {
    /// The SQL. Very long SQL is cut.
    pub text: String,
    /// Whether the SQL writes rows, or takes a lock that outlives the statement.
    pub writes_or_locks: bool,
    /// Whether the SQL says that its transaction only reads.
    pub says_read_only: bool,
    /// Whether this is one of the statements that everything gets which is sent at once, without being prepared.
    pub is_simple: bool,
    /// The types of the parameters, as the client declared them. 0: undeclared.
    pub declared: Vec<u32>,
    /// The types of the parameters, as PostgreSQL said them.
    pub parameter_types: OnceLock<Vec<u32>>,
    /// The body of the message that describes the columns.
    pub columns: OnceLock<Arc<[u8]>>,
}

impl Prepared {
    /// Takes SQL as it was sent.
    pub fn new(sql: &[u8], declared: Vec<u32>, is_simple: bool) -> Self {
        let text = cut(String::from_utf8_lossy(sql).into_owned(), LONGEST_SQL);
        let lower = text.to_ascii_lowercase();
        let mut words = lower.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        let locks_number =
            |word: &str| ADVISORY.iter().any(|begin| word.starts_with(begin)) && !word.contains("unlock");
        Self {
            writes_or_locks: words.any(|word| WRITES_OR_LOCKS.contains(&word) || locks_number(word)),
            says_read_only: lower.contains("read only"),
            text,
            is_simple,
            declared,
            ..Self::default()
        }
    }

    /// The statement of a client that named one which the wire does not know.
    pub fn unknown() -> Self {
        Self { text: "(a statement that was prepared before)".to_owned(), ..Self::default() }
    }

    /// Whether this rolls back to a savepoint, and not the transaction. PostgreSQL says ROLLBACK for both.
    pub fn rolls_back_to_savepoint(&self) -> bool {
        let mut words = self.text.split_whitespace().map(str::to_ascii_lowercase);
        words.next().is_some_and(|word| word == "rollback") && words.any(|word| word == "to")
    }

    /// Whether this commits a transaction that was begun before.
    pub fn commits(&self) -> bool {
        let word = self.text.split_whitespace().next().unwrap_or_default().trim_end_matches(';');
        word.eq_ignore_ascii_case("commit") || word.eq_ignore_ascii_case("end")
    }

    /// Whether this inserts into the table of the orders.
    pub fn inserts_orders(&self) -> bool {
        let lower = self.text.to_ascii_lowercase();
        let mut tables = lower.split("insert into").skip(1).map(str::trim_start);
        tables.any(|table| {
            let name = table.split([' ', '(', '\n']).next().unwrap_or_default();
            name.rsplit('.').next().unwrap_or_default().trim_matches('"') == "orders"
        })
    }
}

/// The same text, but not longer than so many bytes. A sign shows where it was cut.
pub fn cut(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(longest));
        text.push('…');
    }
    text
}
