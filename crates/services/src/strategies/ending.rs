//! How an attempt ends.

use sea_orm::DatabaseTransaction;

use crate::commit::marking;
use crate::failure::Failure;

/// Ends an attempt: COMMIT after a success, otherwise ROLLBACK. Both come before the answer and before the next
/// attempt, so that no lock outlives its attempt.
pub(super) async fn end<T>(
    transaction: DatabaseTransaction,
    result: Result<T, Failure>,
) -> Result<T, Failure> {
    match result {
        Ok(value) => {
            marking(transaction.commit()).await?;
            Ok(value)
        }
        Err(failure) => take_back(transaction, failure).await,
    }
}

/// As [`end`], where a success makes no order yet: RELEASE within the transaction of a key, and the COMMIT of a hold. If
/// its answer is lost, the buyer can still be told that nothing was sold.
pub(super) async fn end_without_order<T>(
    transaction: DatabaseTransaction,
    result: Result<T, Failure>,
) -> Result<T, Failure> {
    match result {
        Ok(value) => {
            transaction.commit().await?;
            Ok(value)
        }
        Err(failure) => take_back(transaction, failure).await,
    }
}

async fn take_back<T>(transaction: DatabaseTransaction, failure: Failure) -> Result<T, Failure> {
    // If this fails, the connection is broken, and PostgreSQL takes the transaction back by itself.
    if let Err(error) = transaction.rollback().await {
        log::debug!("a purchase was not taken back by the shop itself: {error}");
    }
    Err(failure)
}
