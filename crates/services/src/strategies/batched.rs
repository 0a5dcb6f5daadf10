//! `batched`: buyers of a product queue at one task, which sells to all who wait, up to 64, with one
//! statement. The row is locked once a batch instead of once a buyer, and a short stock goes to those who
//! came first.
//!
//! The race window stands before the queue: a buyer comes to it with the payment authorized, because one slow
//! payment within a batch would hold up everybody behind it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flash_sale_core::{limits, order};
use flash_sale_repositories::StockRepository;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::retry::until_settled;
use super::sale::Failure;
use super::service::end;
use crate::commit::{CommitMark, marking};
use crate::idempotency::{Claim, Claimed, Settled, store};
use crate::{PaymentProvider, ServiceError};

/// More buyers in one statement gain nothing.
const LARGEST_BATCH: usize = 64;
/// Whoever finds so many before them is told to come again.
const LONGEST_QUEUE: usize = 4096;
/// Whoever has waited longer for their batch to begin, as behind a row that somebody holds, is told so too.
const LONGEST_WAIT: Duration = limits::LOCK_TIMEOUT;

/// The queues of one replica. A queue and its task are there only while somebody waits.
#[derive(Clone)]
pub(super) struct Batches {
    database: DatabaseConnection,
    served_by: String,
    queues: Arc<Mutex<HashMap<Uuid, mpsc::Sender<Buyer>>>>,
    longest_queue: usize,
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
            queues: Arc::default(),
            longest_queue: LONGEST_QUEUE,
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
        let mark = CommitMark::current();
        let buyer = Buyer { order_id: Uuid::new_v4(), claim, since: Instant::now(), mark, answer };
        self.enqueue(product_id, buyer)?;
        // The task ends early only with the process's runtime, and its statement is then taken back.
        answered.await.unwrap_or(Err(ServiceError::Overloaded))
    }

    fn enqueue(&self, product_id: Uuid, buyer: Buyer) -> Result<(), ServiceError> {
        let mut queues = self.queues.lock().expect("nobody panics while holding it");
        let queue = queues.entry(product_id).or_insert_with(|| {
            let (queue, waiting) = mpsc::channel(self.longest_queue);
            tokio::spawn(self.clone().sell_while_somebody_waits(product_id, waiting));
            queue
        });
        queue.try_send(buyer).map_err(|_| ServiceError::Overloaded)
    }

    /// The task. A batch that fails is answered with its failure, and the next one is sold as if nothing had
    /// been.
    async fn sell_while_somebody_waits(self, product_id: Uuid, mut waiting: mpsc::Receiver<Buyer>) {
        let mut batch = Vec::with_capacity(LARGEST_BATCH);
        while self.keep_open(product_id, &waiting) {
            waiting.recv_many(&mut batch, LARGEST_BATCH).await;
            // Whoever has left in the meantime gets nothing.
            batch.retain(|buyer| !buyer.answer.is_closed());
            for buyer in batch.extract_if(.., |buyer| buyer.since.elapsed() > self.longest_wait) {
                let _ = buyer.answer.send(Err(ServiceError::Overloaded));
            }
            if !batch.is_empty() {
                self.sell_batch(product_id, &mut batch).await;
            }
        }
    }

    /// Whether somebody waits. If nobody does the queue is closed, at the same moment: under the lock, so
    /// that nobody queues up where no task looks any more.
    fn keep_open(&self, product_id: Uuid, waiting: &mpsc::Receiver<Buyer>) -> bool {
        let mut queues = self.queues.lock().expect("nobody panics while holding it");
        if waiting.is_empty() {
            queues.remove(&product_id);
        }
        !waiting.is_empty()
    }

    async fn sell_batch(&self, product_id: Uuid, batch: &mut Vec<Buyer>) {
        let buyers: Vec<(Uuid, Option<Claim>)> =
            batch.iter().map(|buyer| (buyer.order_id, buyer.claim.clone())).collect();
        let mark = CommitMark::of_all(batch.iter().map(|buyer| buyer.mark.clone()));
        let answers = mark.follow(self.sell_to_all(product_id, &buyers)).await;
        let answers = answers.unwrap_or_else(|error| buyers.iter().map(|_| Err(error.clone())).collect());
        for (buyer, answer) in batch.drain(..).zip(answers) {
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
            let transaction = self.database.begin().await?;
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
                Err(error) => Err(error),
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
    use flash_sale_core::database::{DatabaseSettings, connect};

    use super::*;

    type Answered = oneshot::Receiver<Result<Bought, ServiceError>>;

    /// The runtime of a test is one thread: the task does not run before the test waits.
    #[tokio::test]
    async fn whoever_finds_the_queue_full_is_sent_away() {
        let mut batches = without_database().await;
        batches.longest_queue = 2;

        let first = enqueue(&batches).unwrap();
        let second = enqueue(&batches);
        let third = enqueue(&batches);

        assert!(second.is_ok());
        assert!(matches!(third, Err(ServiceError::Overloaded)));
        let answer = first.await.unwrap();
        assert!(matches!(answer, Err(ServiceError::Database(_))), "there is no database");
        assert!(batches.queues.lock().unwrap().is_empty(), "the queue goes with the last who waits");
    }

    #[tokio::test]
    async fn whoever_has_waited_too_long_is_sent_away_when_the_batch_begins() {
        let mut batches = without_database().await;
        batches.longest_wait = Duration::ZERO;

        let answer = enqueue(&batches).unwrap().await.unwrap();

        assert!(matches!(answer, Err(ServiceError::Overloaded)));
    }

    fn enqueue(batches: &Batches) -> Result<Answered, ServiceError> {
        let (answer, answered) = oneshot::channel();
        let (order_id, since, mark) = (Uuid::new_v4(), Instant::now(), CommitMark::default());
        let buyer = Buyer { order_id, claim: None, since, mark, answer };
        batches.enqueue(Uuid::nil(), buyer).map(|()| answered)
    }

    async fn without_database() -> Batches {
        let settings = DatabaseSettings {
            url: "postgres://nobody@127.0.0.1:1/nothing".to_owned(),
            application_name: "test".to_owned(),
            pool_size: 1,
        };
        Batches::new(connect(&settings).await.unwrap(), "replica-1")
    }
}
