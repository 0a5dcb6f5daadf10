//! Everything that a caller can be told instead of an answer.

use sea_orm::DbErr;

/// Why the shop did not do what it was asked.
#[derive(Debug, thiserror::Error)]
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
    /// The database did not do its part. The details are for the log only.
    #[error("the database failed")]
    Database(#[from] DbErr),
}
