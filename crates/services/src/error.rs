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
    /// Other buyers were in the way. Nothing was sold to this buyer. A copy may be left.
    #[error("other buyers were faster")]
    Busy,
    /// No copy is in stock, and the last ones are held for buyers who are paying. A copy may come back.
    #[error("all copies are held")]
    AllHeld,
    /// The hold on the buyer's copy has lapsed before the purchase was confirmed. Nothing was sold.
    #[error("the hold has lapsed")]
    HoldLapsed,
    /// The payment was declined. Nothing was sold.
    #[error("the payment was declined")]
    PaymentDeclined,
    /// More buyers wait than the shop has room for. This buyer was not let in.
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
    /// The database failed. The details are for the log only.
    #[error("the database failed")]
    Database(#[source] DbErr),
    /// The task that sold to several buyers has ended before it could answer. Nothing was sold to this buyer, and
    /// nothing will be sold later.
    #[error("the sale was interrupted")]
    Interrupted,
    /// COMMIT was sent, and its answer was lost: it may have been carried out. There is no error of the database when
    /// the task has ended that waited for the answer.
    #[error("the outcome of the commit is unknown")]
    OutcomeUnknown(#[source] Option<DbErr>),
}

impl From<DbErr> for ServiceError {
    fn from(error: DbErr) -> Self {
        if CommitMark::current().is_set() { Self::OutcomeUnknown(Some(error)) } else { Self::Database(error) }
    }
}

impl ServiceError {
    /// What the request that runs now is told when the task that worked for it has ended without an answer.
    pub(crate) fn interrupted() -> Self {
        if CommitMark::current().is_set() { Self::OutcomeUnknown(None) } else { Self::Interrupted }
    }

    /// Whether this is the shop's decision on a purchase, which is kept for its key. After any other error the same
    /// purchase may be made later. A product that isn't there is no decision either: a client that invents products
    /// would fill the database with records.
    pub(crate) fn is_decision(&self) -> bool {
        matches!(self, Self::OutOfStock)
    }
}
