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
    /// COMMIT was sent, and its answer was lost: it may have been carried out.
    #[error("whether it was committed is not known")]
    OutcomeUnknown(#[source] DbErr),
}

impl From<DbErr> for ServiceError {
    fn from(error: DbErr) -> Self {
        if CommitMark::current().is_set() { Self::OutcomeUnknown(error) } else { Self::Database(error) }
    }
}

impl ServiceError {
    /// Whether this is the shop's decision on a purchase, which is kept for its key. Otherwise the same
    /// purchase may well be made later.
    pub(crate) fn is_decision(&self) -> bool {
        matches!(self, Self::OutOfStock | Self::ProductNotFound | Self::StrategyNeeds(_))
    }
}
