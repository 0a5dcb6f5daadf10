//! What a database error means: the only place that knows SQLSTATE codes. Tells an outage, which passes, from
//! a mistake, which doesn't, and names the errors that a purchase can answer with more than "try later".

use sea_orm::sqlx::Error as SqlxError;
use sea_orm::{DbErr, RuntimeErr};

/// SQLSTATE classes of what passes by itself (PostgreSQL manual, appendix A): 08 connection exception,
/// 40 transaction rollback, 53 insufficient resources, 55 object not in prerequisite state (lock_timeout),
/// 57 operator intervention (shutdown, statement_timeout).
const TEMPORARY_CLASSES: [&str; 5] = ["08", "40", "53", "55", "57"];

/// Single codes of the same kind: 25006 the server is read-only, 25P03 idle_in_transaction_session_timeout.
const TEMPORARY_CODES: [&str; 2] = ["25006", "25P03"];

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

/// What the error is, by its SQLSTATE (PostgreSQL manual, appendix A).
pub fn kind(error: &DbErr) -> DatabaseErrorKind {
    let code = match sqlx_error(error) {
        Some(SqlxError::Database(error)) => error.code(),
        _ => None,
    };
    match code.as_deref() {
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
    if matches!(error, DbErr::ConnectionAcquire(_)) {
        return true;
    }
    match sqlx_error(error) {
        Some(SqlxError::Database(error)) => error.code().is_some_and(|code| {
            TEMPORARY_CODES.contains(&&*code) || TEMPORARY_CLASSES.iter().any(|class| code.starts_with(class))
        }),
        Some(
            SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed | SqlxError::WorkerCrashed,
        ) => true,
        _ => false,
    }
}

fn sqlx_error(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error.as_ref()),
        _ => None,
    }
}
