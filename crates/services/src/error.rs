//! Everything that a caller can be told instead of an answer.

use sea_orm::DbErr;

use crate::commit::CommitMark;

/// Why the shop did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ServiceError {
    /// No copy is left.
    #[error("out of stock")]
    OutOfStock,
    /// There is no such product.
    #[error("product not found")]
    ProductNotFound,
    /// There is no such order.
    #[error("order not found")]
    OrderNotFound,
    /// Other buyers were in the way. Nothing was sold to this one; there may be a copy left.
    #[error("other buyers were faster")]
    Busy,
    /// More buyers wait than the shop has room for. This one was not let in.
    #[error("too many buyers wait")]
    Overloaded,
    /// The product lacks what the strategy sells by.
    #[error("this strategy needs {0}")]
    StrategyNeeds(&'static str),
    /// Another request with the same key is being worked on.
    #[error("a request with this key is in flight")]
    KeyInFlight,
    /// The key was used for another request.
    #[error("this key was used for another request")]
    KeyReused,
    /// The database did not do its part. The details are for the log only.
    #[error("the database failed")]
    Database(#[source] DbErr),
    /// The task that worked on this for several buyers has ended before it could answer. Nothing was sold to this
    /// one, nor will it be.
    #[error("the sale was interrupted")]
    Interrupted,
    /// COMMIT was sent, and its answer was lost: it may have been carried out. Without an error of the database, it
    /// was the task that waited for the answer that has ended.
    #[error("whether it was committed is not known")]
    OutcomeUnknown(#[source] Option<DbErr>),
}

impl From<DbErr> for ServiceError {
    fn from(error: DbErr) -> Self {
        if CommitMark::current().is_set() { Self::OutcomeUnknown(Some(error)) } else { Self::Database(error) }
    }
}

impl ServiceError {
    /// What the request that runs now is told, when whoever worked on it has ended without an answer.
    pub(crate) fn interrupted() -> Self {
        if CommitMark::current().is_set() { Self::OutcomeUnknown(None) } else { Self::Interrupted }
    }

    /// Whether this is the shop's decision on a purchase, which is kept for its key. Otherwise the same purchase
    /// may well be made later, or it can't be made at all: there is nothing to decide about a product that isn't
    /// there, and whoever invents products would fill the database with records.
    pub(crate) fn is_decision(&self) -> bool {
        matches!(self, Self::OutOfStock)
    }
}
