//! Everything that a caller can be told instead of an answer.

use sea_orm::DbErr;

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
    /// The database did not do its part. The details are for the log only.
    #[error("the database failed")]
    Database(#[from] DbErr),
}
