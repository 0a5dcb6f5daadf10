//! What a database error means: the only place that knows SQLSTATE codes. Tells an outage, which passes, from
//! a mistake, which doesn't, and names the errors that a purchase can answer with more than "try later".

use sea_orm::sqlx::Error as SqlxError;
use sea_orm::{DbErr, RuntimeErr};

/// SQLSTATE classes of what passes by itself, or once somebody has mended the server (PostgreSQL manual,
/// appendix A): 08 connection exception, 28 invalid authorization, 40 transaction rollback, 53 insufficient
/// resources (also a full disk), 55 object not in prerequisite state (lock_timeout), 57 operator intervention
/// (shutdown, statement_timeout), 58 system error.
const TEMPORARY_CLASSES: [&str; 7] = ["08", "28", "40", "53", "55", "57", "58"];

/// Single codes of the same kind: 25006 the server is read-only, 25P03 idle_in_transaction_session_timeout,
/// 3D000 there is no such database, 42P01 there is no such table: it is not migrated yet.
const TEMPORARY_CODES: [&str; 4] = ["25006", "25P03", "3D000", "42P01"];

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

/// The error's SQLSTATE. `None` when it was not PostgreSQL that said it.
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
    if is_without_connection(error) {
        return true;
    }
    match sqlx_error(error) {
        Some(SqlxError::Database(error)) => error.code().is_some_and(|code| {
            TEMPORARY_CODES.contains(&&*code) || TEMPORARY_CLASSES.iter().any(|class| code.starts_with(class))
        }),
        Some(error) => is_broken_connection(error),
        None => false,
    }
}

/// Whether there is no database, or it has just gone.
pub fn is_away(error: &DbErr) -> bool {
    let says_so = sqlstate(error).is_some_and(|code| code.starts_with("57P"));
    says_so || is_without_connection(error) || is_answer_lost(error)
}

/// Whether the statement was sent, and nothing is known of what became of it: the connection broke before the
/// server's answer. Where the statement was COMMIT, it may have been carried out.
///
/// An error that PostgreSQL itself reports is an answer, its session's end included (57P01): it looks for a
/// request to end only where nothing is committed yet, and a crash is silence. Class 08 is what poolers say of
/// a server that they have lost.
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
