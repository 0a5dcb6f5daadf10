//! Who waits in the queues of `batched`, and for what.

use std::time::{Duration, Instant};

use flash_sale_core::order;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::commit::CommitMark;
use crate::error::ServiceError;
use crate::idempotency::{Claim, Settled};
use crate::log_context::LogContext;

/// Where a buyer waits for the answer. It is closed when the buyer has left.
pub(super) type AnswerSender<T> = oneshot::Sender<Result<T, ServiceError>>;

/// Somebody who waits for an answer.
pub(super) struct Buyer {
    /// The order's, if there will be one.
    pub order_id: Uuid,
    pub since: Instant,
    pub mark: CommitMark,
    pub log_context: LogContext,
    pub wants: Wants,
}

/// What a buyer waits for.
pub(super) enum Wants {
    /// An order.
    Order(AnswerSender<order::Model>),
    /// The answer that is kept for a key.
    KeptAnswer(Claim, AnswerSender<Settled>),
}

impl Buyer {
    /// A buyer who comes now, for the request that runs now.
    pub fn new(wants: Wants) -> Self {
        Self {
            order_id: Uuid::new_v4(),
            since: Instant::now(),
            mark: CommitMark::current(),
            log_context: LogContext::current(),
            wants,
        }
    }

    /// Whether nobody waits for the answer any more.
    pub fn has_left(&self) -> bool {
        match &self.wants {
            Wants::Order(answer) => answer.is_closed(),
            Wants::KeptAnswer(_, answer) => answer.is_closed(),
        }
    }

    /// Whether the buyer has waited for longer than `limit`.
    pub fn has_waited(&self, limit: Duration) -> bool {
        self.since.elapsed() > limit
    }

    /// Sends the buyer away.
    pub fn refuse(self, error: ServiceError) {
        match self.wants {
            Wants::Order(answer) => tell(answer, Err(error)),
            Wants::KeptAnswer(_, answer) => tell(answer, Err(error)),
        }
    }
}

/// Answers a buyer. One who has left meanwhile gets nothing.
pub(super) fn tell<T>(answer: AnswerSender<T>, told: Result<T, ServiceError>) {
    let _ = answer.send(told);
}
