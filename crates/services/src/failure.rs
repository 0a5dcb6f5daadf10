//! The two ways in which an attempt to sell can fail.

use flash_sale_core::database_error::{DatabaseErrorKind, kind};
use sea_orm::DbErr;

use crate::error::ServiceError;

/// Why an attempt has sold nothing.
pub(crate) enum Failure {
    /// The buyer is told this error.
    Refused(ServiceError),
    /// Another buyer was faster. The attempt is made again, with the stock as it is then.
    Overtaken,
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::Refused(error)
    }
}

/// What each error of the database means for a purchase. Only `nowait` differs: it answers a buyer who meets a lock.
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
