//! `batched`: buyers of a product queue at one task, which sells to all who wait, up to 64, with one
//! statement. The row is locked once a batch instead of once a buyer, and a short stock goes to those who
//! came first.
//!
//! The race window stands before the queue: a buyer comes to it with the payment authorized, because one slow
//! payment within a batch would hold up everybody behind it.

mod queue;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use flash_sale_core::{limits, order};
use flash_sale_repositories::StockRepository;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait};
use tokio::sync::oneshot;
use uuid::Uuid;

use queue::{Counter, Full, Queues};

use super::ending::end;
use super::retry::until_settled;
use crate::begin;
use crate::commit::{CommitMark, marking};
use crate::error::ServiceError;
use crate::failure::Failure;
use crate::idempotency::{Claim, Claimed, Settled, store};
use crate::log_context::LogContext;
use crate::payment::PaymentProvider;

/// More buyers in one statement gain nothing.
const LARGEST_BATCH: usize = 64;
/// Whoever finds so many before them is told to come again.
const LONGEST_QUEUE: usize = 4096;
/// Who has waited longer for a batch to begin, as behind a row that somebody holds, is told so too. A statement that
/// waits for several locks in turn takes longer than `LOCK_TIMEOUT`, and must still end before its buyers are given up:
/// after that, nobody could tell them that nothing was sold.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

const _: () = assert!(
    LONGEST_WAIT.as_secs() + limits::STATEMENT_TIMEOUT.as_secs() < limits::REQUEST_DEADLINE.as_secs()
);

/// The sales of one replica. A queue and its task are there only while somebody waits.
#[derive(Clone)]
pub(super) struct Batches {
    database: DatabaseConnection,
    served_by: String,
    queues: Queues<Buyer>,
    longest_wait: Duration,
}

/// One for each buyer of a batch, in their order.
type Answers = Vec<Result<Bought, ServiceError>>;

/// Somebody who waits for an answer.
struct Buyer {
    order_id: Uuid,
    claim: Option<Claim>,
    since: Instant,
    mark: CommitMark,
    log_context: LogContext,
    answer: oneshot::Sender<Result<Bought, ServiceError>>,
}

/// What a buyer gets.
enum Bought {
    Order(order::Model),
    /// With a key.
    Settled(Settled),
}

impl Batches {
    pub fn new(database: DatabaseConnection, served_by: &str) -> Self {
        Self {
            database,
            served_by: served_by.to_owned(),
            queues: Queues::new(LONGEST_QUEUE),
            longest_wait: LONGEST_WAIT,
        }
    }

    /// Queues up for one copy. Answers only after the batch's COMMIT.
    pub async fn sell(
        &self,
        product_id: Uuid,
        payment: &PaymentProvider,
    ) -> Result<order::Model, ServiceError> {
        match self.queue_up(product_id, payment, None).await? {
            Bought::Order(order) => Ok(order),
            Bought::Settled(_) => unreachable!("only with a key"),
        }
    }

    /// Queues up for one copy with a key, which the batch claims and whose answer it stores.
    pub async fn sell_once(
        &self,
        product_id: Uuid,
        payment: &PaymentProvider,
        claim: Claim,
    ) -> Result<Settled, ServiceError> {
        match self.queue_up(product_id, payment, Some(claim)).await? {
            Bought::Settled(settled) => Ok(settled),
            Bought::Order(_) => unreachable!("only without a key"),
        }
    }

    async fn queue_up(
        &self,
        product_id: Uuid,
        payment: &PaymentProvider,
        claim: Option<Claim>,
    ) -> Result<Bought, ServiceError> {
        payment.authorize().await;
        let (answer, answered) = oneshot::channel();
        let buyer = Buyer {
            order_id: Uuid::new_v4(),
            claim,
            since: Instant::now(),
            mark: CommitMark::current(),
            log_context: LogContext::current(),
            answer,
        };
        self.enqueue(product_id, buyer)?;
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

    /// The task. A batch that fails is answered with its failure, and the next one is sold as if nothing had
    /// been. One that panics ends the task, and with it the queue; the next buyer opens another one.
    async fn sell_while_somebody_waits(self, mut counter: Counter<Buyer>) {
        loop {
            let mut batch = counter.take_waiting(LARGEST_BATCH);
            if batch.is_empty() {
                return;
            }
            // Whoever has left in the meantime gets nothing.
            batch.retain(|buyer| !buyer.answer.is_closed());
            for buyer in batch.extract_if(.., |buyer| buyer.since.elapsed() > self.longest_wait) {
                let _ = buyer.answer.send(Err(ServiceError::Overloaded));
            }
            if !batch.is_empty() {
                let log_context = LogContext::of_all(batch.iter().map(|buyer| &buyer.log_context));
                log_context.set_product(counter.product_id());
                log_context.follow(self.sell_batch(counter.product_id(), batch)).await;
            }
        }
    }

    /// Whoever is dropped here without an answer is told by their mark whether they may have bought. From COMMIT's
    /// answer to theirs the marks say that they haven't; nothing in between waits or can panic.
    async fn sell_batch(&self, product_id: Uuid, batch: Vec<Buyer>) {
        let buyers: Vec<(Uuid, Option<Claim>)> =
            batch.iter().map(|buyer| (buyer.order_id, buyer.claim.clone())).collect();
        let marks: Vec<CommitMark> = batch.iter().map(|buyer| buyer.mark.clone()).collect();
        let answers = CommitMark::follow_for_all(&marks, self.sell_to_all(product_id, &buyers)).await;
        let answers = answers.unwrap_or_else(|error| buyers.iter().map(|_| Err(error.clone())).collect());
        for (buyer, answer) in batch.into_iter().zip(answers) {
            // An error here: the buyer has left.
            let _ = buyer.answer.send(answer);
        }
    }

    async fn sell_to_all(
        &self,
        product_id: Uuid,
        buyers: &[(Uuid, Option<Claim>)],
    ) -> Result<Answers, ServiceError> {
        if buyers.iter().all(|(_, claim)| claim.is_none()) {
            // A statement is a transaction by itself.
            let sale = || async { Ok(marking(self.sell_to(&self.database, product_id, buyers)).await?) };
            return until_settled(sale).await;
        }
        until_settled(|| async {
            let transaction = begin::logging("BEGIN", self.database.begin()).await?;
            let answers = self.sell_to_claimants(&transaction, product_id, buyers).await;
            end(transaction, answers).await
        })
        .await
    }

    /// Sells to those whose key is new, and stores the answers of all who have one.
    async fn sell_to_claimants(
        &self,
        transaction: &DatabaseTransaction,
        product_id: Uuid,
        buyers: &[(Uuid, Option<Claim>)],
    ) -> Result<Answers, Failure> {
        let claims: Vec<&Claim> = buyers.iter().filter_map(|(_, claim)| claim.as_ref()).collect();
        let mut claimed = Claim::take_all(transaction, &claims).await?.into_iter();
        // In the order of the buyers: what is answered already, and `None` for whoever buys now.
        let mut answers = Vec::new();
        let mut buying = Vec::new();
        for buyer in buyers {
            let claimed = buyer.1.as_ref().and_then(|_| claimed.next()).unwrap_or(Claimed::New);
            answers.push(match claimed {
                Claimed::New => {
                    buying.push(buyer.clone());
                    None
                }
                Claimed::Settled(settled) => Some(Ok(Bought::Settled(settled))),
                Claimed::Refused(error) => Some(Err(error)),
            });
        }

        let mut records = Vec::new();
        let sold = self.sell_to(transaction, product_id, &buying).await?;
        let mut sold = buying.iter().zip(sold).map(|((_, claim), answer)| {
            let Some(claim) = claim else { return answer };
            let outcome = match &answer {
                Ok(Bought::Order(order)) => Ok(order),
                Ok(Bought::Settled(_)) => unreachable!("only claims are settled, and this one is new"),
                Err(error) if error.is_decision() => Err(error),
                Err(_) => return answer,
            };
            let (settled, record) = claim.write(outcome);
            records.push(record);
            Ok(Bought::Settled(settled))
        });
        let answers = answers.into_iter().map(|answer| answer.or_else(|| sold.next()));
        let answers = answers.map(|answer| answer.expect("one for each buyer")).collect();
        if !records.is_empty() {
            store(transaction, &records).await?;
        }
        Ok(answers)
    }

    /// One statement: the first buyers get a copy each, as long as there are any.
    async fn sell_to<C: ConnectionTrait>(
        &self,
        connection: &C,
        product_id: Uuid,
        buyers: &[(Uuid, Option<Claim>)],
    ) -> Result<Answers, DbErr> {
        if buyers.is_empty() {
            return Ok(Vec::new());
        }
        let order_ids: Vec<Uuid> = buyers.iter().map(|(order_id, _)| *order_id).collect();
        let stock = StockRepository::new(connection);
        let Some(orders) = stock.sell_copies(product_id, &order_ids, &self.served_by).await? else {
            return Ok(buyers.iter().map(|_| Err(ServiceError::ProductNotFound)).collect());
        };
        let mut orders: HashMap<Uuid, order::Model> =
            orders.into_iter().map(|order| (order.id, order)).collect();
        let answer = |id| orders.remove(id).map(Bought::Order).ok_or(ServiceError::OutOfStock);
        Ok(order_ids.iter().map(answer).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use flash_sale_core::database::{DatabaseSettings, connect};
    use tokio::runtime::Builder;

    use super::*;

    type Answered = oneshot::Receiver<Result<Bought, ServiceError>>;

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
        let (order_id, since) = (Uuid::new_v4(), Instant::now());
        let (mark, log_context) = (CommitMark::default(), LogContext::default());
        let buyer = Buyer { order_id, claim: None, since, mark, log_context, answer };
        batches.enqueue(Uuid::nil(), buyer).map(|()| answered)
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
