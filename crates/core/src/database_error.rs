//! What a database error means: the only place that knows SQLSTATE codes. Tells an outage, which passes, from
//! a mistake, which doesn't, and names the errors that a purchase can answer with more than "try later".

use sea_orm::sqlx::Error as SqlxError;
use sea_orm::{DbErr, RuntimeErr};

/// SQLSTATE classes of what passes by itself, or once somebody has mended the server (PostgreSQL manual,
/// appendix A): 08 connection exception, 28 invalid authorization, 40 transaction rollback, 53 insufficient
/// resources (also a full disk), 55 object not in prerequisite state (lock_timeout), 57 operator intervention
/// (shutdown, statement_timeout), 58 system error.
const TEMPORARY_CLASSES: [&str; 7] = ["08", "28", "40", "53", "55", "57", "58"];

/// Single codes of the same kind: 25006 the server is read-only, 25P03 idle_in_transaction_session_timeout, 25P04
/// transaction_timeout, 3D000 there is no such database.
const TEMPORARY_CODES: [&str; 4] = ["25006", "25P03", "25P04", "3D000"];

/// A time limit of one request, whose statement or transaction was ended: 25P03 and 25P04 as above, 55P03 lock_timeout
/// (and NOWAIT), 57014 statement_timeout (and pg_cancel_backend; rarely lock_timeout, when it passes between two waits
/// of one statement: PostgreSQL has then forgotten which limit it was).
const LIMIT_CODES: [&str; 4] = ["25P03", "25P04", "55P03", "57014"];

/// 42P01: there is no such table. If the table is one of [`TABLES`], the database is not migrated yet. Any other name
/// is a mistake in a statement.
const NO_SUCH_TABLE: &str = "42P01";
const TABLES: [&str; 6] = ["products", "orders", "units", "idempotency_keys", "holds", "stock_buckets"];

/// The kinds of temporary errors: what stood in a request's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Another transaction, for which PostgreSQL has ended this one (class 40).
    Conflict,
    /// A time limit of the request's own statement or transaction. It waited for another request, or took too long
    /// itself.
    Limit,
    /// The database is away, or can't serve any request.
    Outage,
}

/// The errors that a strategy does something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseErrorKind {
    /// 23514: a CHECK constraint has refused the row.
    CheckViolation,
    /// 40001: no serial order of the transactions explains what this one saw. Also raised by COMMIT.
    SerializationFailure,
    /// 40P01: two transactions waited for one another, and this one was ended.
    DeadlockDetected,
    /// 55P03: NOWAIT met a lock, or a wait was longer than lock_timeout.
    LockNotAvailable,
    /// 57014: the statement was cancelled, by statement_timeout above all.
    QueryCanceled,
    /// Any other.
    Other,
}

/// The error's SQLSTATE. `None` when the error does not come from PostgreSQL.
pub fn sqlstate(error: &DbErr) -> Option<String> {
    match sqlx_error(error)? {
        SqlxError::Database(error) => error.code().map(Into::into),
        _ => None,
    }
}

/// What the error is, by its SQLSTATE (PostgreSQL manual, appendix A).
pub fn kind(error: &DbErr) -> DatabaseErrorKind {
    match sqlstate(error).as_deref() {
        Some("23514") => DatabaseErrorKind::CheckViolation,
        Some("40001") => DatabaseErrorKind::SerializationFailure,
        Some("40P01") => DatabaseErrorKind::DeadlockDetected,
        Some("55P03") => DatabaseErrorKind::LockNotAvailable,
        Some("57014") => DatabaseErrorKind::QueryCanceled,
        _ => DatabaseErrorKind::Other,
    }
}

/// Whether the same request may succeed later: the database is away, too busy, or a wait was over its limit.
pub fn is_temporary(error: &DbErr) -> bool {
    obstacle(error).is_some()
}

/// What stood in a request's way, if it passes; `None` for a mistake.
pub fn obstacle(error: &DbErr) -> Option<Obstacle> {
    let is_outage = match sqlx_error(error) {
        _ if is_without_connection(error) => true,
        Some(SqlxError::Database(error)) => return obstacle_of(&error.code()?, error.message()),
        Some(error) => is_broken_connection(error),
        None => false,
    };
    is_outage.then_some(Obstacle::Outage)
}

fn obstacle_of(code: &str, message: &str) -> Option<Obstacle> {
    if code.starts_with("40") {
        return Some(Obstacle::Conflict);
    }
    if LIMIT_CODES.contains(&code) {
        return Some(Obstacle::Limit);
    }
    let is_not_migrated = code == NO_SUCH_TABLE && names_a_table(message);
    let is_outage = is_not_migrated
        || TEMPORARY_CODES.contains(&code)
        || TEMPORARY_CLASSES.iter().any(|class| code.starts_with(class));
    is_outage.then_some(Obstacle::Outage)
}

/// The message may be in any language; the table's name is a word of it in all of them.
fn names_a_table(message: &str) -> bool {
    let is_of_a_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    message.split(|letter| !is_of_a_name(letter)).any(|word| TABLES.contains(&word))
}

/// Whether there is no database, or it has just gone.
pub fn is_away(error: &DbErr) -> bool {
    let says_so = sqlstate(error).is_some_and(|code| code.starts_with("57P"));
    says_so || is_without_connection(error) || is_answer_lost(error)
}

/// Whether the statement was sent, and the connection broke before the answer. Nobody knows then whether the statement
/// was carried out. This matters for COMMIT.
///
/// An error that PostgreSQL itself reports is an answer. The end of a session (57P01) is one too: PostgreSQL obeys an
/// order to end only at points where nothing is committed yet, and a PostgreSQL that crashes sends nothing. Class 08 is
/// different: a pooler reports it about a server that it has lost.
pub fn is_answer_lost(error: &DbErr) -> bool {
    if is_without_connection(error) {
        return false;
    }
    match sqlx_error(error) {
        Some(SqlxError::Database(error)) => error.code().is_none_or(|code| code.starts_with("08")),
        Some(error) => is_broken_connection(error),
        None => false,
    }
}

/// No connection was to be had, whatever the reason: nothing was sent.
fn is_without_connection(error: &DbErr) -> bool {
    matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_))
}

fn is_broken_connection(error: &SqlxError) -> bool {
    matches!(error, SqlxError::Io(_) | SqlxError::Protocol(_) | SqlxError::Tls(_) | SqlxError::WorkerCrashed)
}

fn sqlx_error(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            Some(error.as_ref())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_and_a_time_limit_are_no_outage_and_a_mistake_is_neither() {
        let obstacle = |code| obstacle_of(code, "");

        for code in ["40001", "40P01"] {
            assert_eq!(obstacle(code), Some(Obstacle::Conflict), "{code}");
        }
        for code in LIMIT_CODES {
            assert_eq!(obstacle(code), Some(Obstacle::Limit), "{code}");
        }
        for code in ["08006", "28P01", "53100", "53300", "57P01", "57P03", "58030", "25006", "3D000"] {
            assert_eq!(obstacle(code), Some(Obstacle::Outage), "{code}");
        }
        for code in ["22P02", "23505", "23514", "25P02", "42501", "42601", "42703"] {
            assert_eq!(obstacle(code), None, "{code}");
        }
    }

    #[test]
    fn a_table_that_is_missing_is_an_outage_only_if_the_shop_has_it() {
        for message in ["relation \"products\" does not exist", "Relation »orders« existiert nicht"] {
            assert_eq!(obstacle_of("42P01", message), Some(Obstacle::Outage), "{message}");
        }
        assert_eq!(obstacle_of("42P01", "relation \"product\" does not exist"), None);
        assert_eq!(obstacle_of("42P01", "relation \"my_orders\" does not exist"), None);
    }
}
