//! The two ways in which an attempt to sell can fail.

use flash_sale_core::database_error::{DatabaseErrorKind, kind};
use sea_orm::DbErr;

use crate::error::ServiceError;

/// How an attempt ends that sells nothing.
pub(crate) enum Failure {
    /// This is the answer.
    Refused(ServiceError),
    /// Somebody else was faster: the attempt is made again, on what is there now.
    Overtaken,
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::Refused(error)
    }
}

/// What each error of the database means for a purchase: the one place that says so. Only `nowait` differs,
/// for which a lock that is taken is an answer rather than an outage.
impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        match kind(&error) {
            DatabaseErrorKind::SerializationFailure | DatabaseErrorKind::DeadlockDetected => Self::Overtaken,
            DatabaseErrorKind::CheckViolation => Self::Refused(ServiceError::OutOfStock),
            // Over a time limit: 503. The limits are lock_timeout and statement_timeout.
            DatabaseErrorKind::LockNotAvailable | DatabaseErrorKind::QueryCanceled => {
                Self::Refused(error.into())
            }
            DatabaseErrorKind::Other => Self::Refused(error.into()),
        }
    }
}
