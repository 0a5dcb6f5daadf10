//! `batched`: the buyers of a product queue at one task, which sells to up to 64 of them with one statement. The row is
//! locked once for each batch instead of once for each buyer. A short stock goes to the buyers who came first.
//!
//! The race window stands before the queue: a buyer joins it after the payment, because one slow payment within a batch
//! would hold up everybody behind it.

mod batch;
mod buyer;

use std::time::Duration;

use flash_sale_core::limits::BATCH_QUEUE_TIMEOUT;
use flash_sale_core::order;
use sea_orm::DatabaseConnection;
use tokio::sync::oneshot;
use uuid::Uuid;

use batch::Batch;
use buyer::{AnswerSender, Buyer, Wants};

use crate::error::ServiceError;
use crate::idempotency::{Claim, Settled};
use crate::log_context::LogContext;
use crate::payment::PaymentProvider;
use crate::queue::{Counter, Full, Queues};

/// More buyers in one statement gain nothing.
const LARGEST_BATCH: usize = 64;
/// A buyer who finds so many others in the queue is told to come again.
const LONGEST_QUEUE: usize = 4096;

/// The sales of one replica. A queue and its task are there only while somebody waits.
#[derive(Clone)]
pub(super) struct Batches {
    database: DatabaseConnection,
    served_by: String,
    queues: Queues<Uuid, Buyer>,
    longest_wait: Duration,
}

impl Batches {
    pub fn new(database: DatabaseConnection, served_by: &str) -> Self {
        Self {
            database,
            served_by: served_by.to_owned(),
            queues: Queues::new(LONGEST_QUEUE),
            longest_wait: BATCH_QUEUE_TIMEOUT,
        }
    }

    /// Queues up for one copy. Answers only after the batch's COMMIT.
    pub async fn sell(
        &self,
        product_id: Uuid,
        payment: &PaymentProvider,
    ) -> Result<order::Model, ServiceError> {
        self.queue_up(product_id, payment, Wants::Order).await
    }

    /// Queues up for one copy with a key, which the batch claims and whose answer it stores.
    pub async fn sell_once(
        &self,
        product_id: Uuid,
        payment: &PaymentProvider,
        claim: Claim,
    ) -> Result<Settled, ServiceError> {
        self.queue_up(product_id, payment, |answer| Wants::KeptAnswer(claim, answer)).await
    }

    async fn queue_up<T>(
        &self,
        product_id: Uuid,
        payment: &PaymentProvider,
        wants: impl FnOnce(AnswerSender<T>) -> Wants,
    ) -> Result<T, ServiceError> {
        payment.authorize().await;
        let (answer, answered) = oneshot::channel();
        self.enqueue(product_id, Buyer::new(wants(answer)))?;
        // Without an answer the task has ended: it has panicked, or its runtime ends.
        answered.await.unwrap_or_else(|_| Err(ServiceError::interrupted()))
    }

    fn enqueue(&self, product_id: Uuid, buyer: Buyer) -> Result<(), ServiceError> {
        let opened = self.queues.join(product_id, buyer).map_err(|Full| ServiceError::Overloaded)?;
        if let Some(counter) = opened {
            tokio::spawn(self.clone().sell_while_somebody_waits(counter));
        }
        Ok(())
    }

    /// The task. When a batch fails, its buyers are told so, and the task goes on with the next batch. When a batch
    /// panics, the task ends and the queue with it. The next buyer opens another queue.
    async fn sell_while_somebody_waits(self, mut counter: Counter<Uuid, Buyer>) {
        loop {
            let mut batch = counter.take_waiting(LARGEST_BATCH);
            if batch.is_empty() {
                return;
            }
            // A buyer who has left meanwhile gets nothing.
            batch.retain(|buyer| !buyer.has_left());
            for buyer in batch.extract_if(.., |buyer| buyer.has_waited(self.longest_wait)) {
                buyer.refuse(ServiceError::Overloaded);
            }
            if !batch.is_empty() {
                let log_context = LogContext::of_all(batch.iter().map(|buyer| &buyer.log_context));
                log_context.set_product(counter.key());
                let batch = Batch::new(&self.database, &self.served_by, counter.key(), batch);
                log_context.follow(batch.sell()).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use flash_sale_core::database::{DatabaseSettings, connect};
    use tokio::runtime::Builder;

    use super::*;
    use crate::commit::CommitMark;

    type Answered = oneshot::Receiver<Result<order::Model, ServiceError>>;

    /// The runtime of a test is one thread: the task does not run before the test waits.
    #[tokio::test]
    async fn whoever_finds_the_queue_full_is_sent_away() {
        let mut batches = without_database().await;
        batches.queues = Queues::new(2);

        let first = enqueue(&batches).unwrap();
        let second = enqueue(&batches);
        let third = enqueue(&batches);

        assert!(second.is_ok());
        assert!(matches!(third, Err(ServiceError::Overloaded)));
        let answer = first.await.unwrap();
        assert!(matches!(answer, Err(ServiceError::Database(_))), "there is no database");
        wait_until(|| batches.queues.count_waiting(Uuid::nil()).is_none()).await;
    }

    #[tokio::test]
    async fn whoever_has_waited_too_long_is_sent_away_when_the_batch_begins() {
        let mut batches = without_database().await;
        batches.longest_wait = Duration::ZERO;

        let answer = enqueue(&batches).unwrap().await.unwrap();

        assert!(matches!(answer, Err(ServiceError::Overloaded)));
    }

    /// The database lets the task in and never answers, so its statement counts as sent.
    #[test]
    fn when_the_task_ends_with_its_runtime_its_queue_ends_too_and_its_buyers_are_told_what_is_known() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let of_the_task = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let of_the_buyers = Builder::new_current_thread().enable_all().build().unwrap();
        let task_handle = of_the_task.handle().clone();
        of_the_buyers.block_on(async {
            let limit = tokio::time::sleep(Duration::from_secs(10));
            let _new_tasks_run_there = task_handle.enter();
            let batches = with_database_at(silent.local_addr().unwrap().port()).await;
            let (in_the_batch, in_the_queue) = (CommitMark::default(), CommitMark::default());
            let payment = PaymentProvider::new(Duration::ZERO);
            let buy = async |mark: &CommitMark| mark.follow(batches.sell(Uuid::nil(), &payment)).await;

            let later = async {
                wait_until(|| in_the_batch.is_set()).await;
                buy(&in_the_queue).await
            };
            let end = async {
                wait_until(|| batches.queues.count_waiting(Uuid::nil()) == Some(1) && in_the_batch.is_set())
                    .await;
                of_the_task.shutdown_background();
            };
            let all = async { tokio::join!(buy(&in_the_batch), later, end) };
            let (first, second, ()) = tokio::select! {
                told = all => told,
                () = limit => panic!("somebody waits for ever"),
            };

            assert!(matches!(first, Err(ServiceError::OutcomeUnknown(None))), "{first:?}");
            assert!(matches!(second, Err(ServiceError::Interrupted)), "{second:?}");
            assert_eq!(batches.queues.count_waiting(Uuid::nil()), None, "the next buyer opens a queue");
        });
    }

    fn enqueue(batches: &Batches) -> Result<Answered, ServiceError> {
        let (answer, answered) = oneshot::channel();
        batches.enqueue(Uuid::nil(), Buyer::new(Wants::Order(answer))).map(|()| answered)
    }

    async fn without_database() -> Batches {
        with_database_at(1).await
    }

    async fn with_database_at(port: u16) -> Batches {
        let settings = DatabaseSettings {
            url: format!("postgres://nobody@127.0.0.1:{port}/nothing"),
            application_name: "test".to_owned(),
            pool_size: 1,
        };
        Batches::new(connect(&settings).await.unwrap(), "replica-1")
    }

    async fn wait_until(condition: impl Fn() -> bool) {
        let limit = Instant::now() + Duration::from_secs(10);
        while !condition() {
            assert!(Instant::now() < limit, "waited in vain");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
