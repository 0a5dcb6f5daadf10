//! The payment, simulated: it always succeeds, and takes its time as a real one does.

use std::time::Duration;

/// Stands for the company that moves the buyer's money.
#[derive(Clone, Debug)]
pub struct PaymentProvider {
    answers_after: Duration,
}

impl PaymentProvider {
    /// A provider that takes `answers_after` for each authorization.
    pub fn new(answers_after: Duration) -> Self {
        Self { answers_after }
    }

    /// Returns when the payment is authorized.
    pub async fn authorize(&self) {
        // A timer of zero still takes up to a millisecond.
        if !self.answers_after.is_zero() {
            tokio::time::sleep(self.answers_after).await;
        }
    }
}
