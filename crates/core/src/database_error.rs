//! Tells an outage, which passes, from a mistake, which doesn't.

use sea_orm::sqlx::Error as SqlxError;
use sea_orm::{DbErr, RuntimeErr};

/// SQLSTATE classes of what passes by itself (PostgreSQL manual, appendix A): 08 connection exception,
/// 40 transaction rollback, 53 insufficient resources, 55 object not in prerequisite state (lock_timeout),
/// 57 operator intervention (shutdown, statement_timeout).
const TEMPORARY_CLASSES: [&str; 5] = ["08", "40", "53", "55", "57"];

/// Single codes of the same kind: 25006 the server is read-only, 25P03 idle_in_transaction_session_timeout.
const TEMPORARY_CODES: [&str; 2] = ["25006", "25P03"];

/// Whether the same request may succeed later: the database is away, too busy, or a wait was over its limit.
pub fn is_temporary(error: &DbErr) -> bool {
    let runtime_error = match error {
        DbErr::ConnectionAcquire(_) => return true,
        DbErr::Conn(error) | DbErr::Exec(error) | DbErr::Query(error) => error,
        _ => return false,
    };
    let RuntimeErr::SqlxError(error) = runtime_error else {
        return false;
    };
    match error.as_ref() {
        SqlxError::Database(error) => error.code().is_some_and(|code| {
            TEMPORARY_CODES.contains(&&*code) || TEMPORARY_CLASSES.iter().any(|class| code.starts_with(class))
        }),
        SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed | SqlxError::WorkerCrashed => true,
        _ => false,
    }
}
