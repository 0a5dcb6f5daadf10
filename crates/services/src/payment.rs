//! The payment, simulated: it takes its time as a real one does. It succeeds, unless it is told to be declined.

use std::time::Duration;

/// Stands for the company that moves the buyer's money.
#[derive(Clone, Debug)]
pub struct PaymentProvider {
    answers_after: Duration,
    /// How many of a hundred payments are declined.
    declined_percent: u8,
}

impl PaymentProvider {
    /// A provider that takes `answers_after` for each authorization.
    pub fn new(answers_after: Duration) -> Self {
        Self { answers_after, declined_percent: 0 }
    }

    /// The same provider, which declines so many of a hundred payments where it is asked by
    /// [`Self::is_authorized`].
    #[must_use]
    pub fn declining(self, percent: u8) -> Self {
        Self { declined_percent: percent, ..self }
    }

    /// Returns when the payment is authorized.
    pub async fn authorize(&self) {
        // A timer of zero still takes up to a millisecond.
        if !self.answers_after.is_zero() {
            tokio::time::sleep(self.answers_after).await;
        }
    }

    /// As [`Self::authorize`], for buyers whose payment may be declined at random. Says whether it is authorized.
    ///
    /// Only `reservation` asks so. Elsewhere the purchase is one transaction, and ROLLBACK takes all of it back, whatever
    /// the reason is.
    pub async fn is_authorized(&self) -> bool {
        self.authorize().await;
        fastrand::u8(..100) >= self.declined_percent
    }
}
