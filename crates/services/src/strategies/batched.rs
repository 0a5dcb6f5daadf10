//! `batched`: buyers of a product queue at one task, which sells to all who wait, up to 64, with one
//! statement. The row is locked once a batch instead of once a buyer, and a short stock goes to those who
//! came first.
//!
//! The race window stands before the queue: a buyer comes to it with the payment authorized, because one slow
//! payment within a batch would hold up everybody behind it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use flash_sale_core::order;
use flash_sale_repositories::StockRepository;
use sea_orm::DatabaseConnection;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::retry::until_settled;
use crate::{PaymentProvider, ServiceError};

/// More buyers in one statement gain nothing.
const LARGEST_BATCH: usize = 64;
/// Whoever finds so many before them is told to come again.
const LONGEST_QUEUE: usize = 4096;

/// The queues of one replica. A queue and its task are there only while somebody waits.
#[derive(Clone)]
pub(super) struct Batches {
    database: DatabaseConnection,
    served_by: String,
    queues: Arc<Mutex<HashMap<Uuid, mpsc::Sender<Buyer>>>>,
    longest_queue: usize,
}

/// Somebody who waits for an answer.
struct Buyer {
    order_id: Uuid,
    answer: oneshot::Sender<Result<order::Model, ServiceError>>,
}

impl Batches {
    pub fn new(database: DatabaseConnection, served_by: &str) -> Self {
        let queues = Arc::default();
        Self { database, served_by: served_by.to_owned(), queues, longest_queue: LONGEST_QUEUE }
    }

    /// Queues up for one copy. Answers only after the batch's COMMIT.
    pub async fn sell(
        &self,
        product_id: Uuid,
        payment: &PaymentProvider,
    ) -> Result<order::Model, ServiceError> {
        payment.authorize().await;
        let (answer, answered) = oneshot::channel();
        self.enqueue(product_id, Buyer { order_id: Uuid::new_v4(), answer })?;
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
        let order_ids: Vec<Uuid> = batch.iter().map(|buyer| buyer.order_id).collect();
        let sold = until_settled(|| async {
            let stock = StockRepository::new(&self.database);
            Ok(stock.sell_copies(product_id, &order_ids, &self.served_by).await?)
        })
        .await;

        let orders = sold.and_then(|orders| orders.ok_or(ServiceError::ProductNotFound));
        let mut orders: Result<HashMap<Uuid, order::Model>, ServiceError> =
            orders.map(|orders| orders.into_iter().map(|order| (order.id, order)).collect());
        for buyer in batch.drain(..) {
            let answer = match &mut orders {
                Ok(orders) => orders.remove(&buyer.order_id).ok_or(ServiceError::OutOfStock),
                Err(error) => Err(error.clone()),
            };
            // An error here: the buyer has left.
            let _ = buyer.answer.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use flash_sale_core::database::{DatabaseSettings, connect};

    use super::*;

    /// The runtime of a test is one thread: the task does not run before the test waits.
    #[tokio::test]
    async fn whoever_finds_the_queue_full_is_sent_away() {
        let settings = DatabaseSettings {
            url: "postgres://nobody@127.0.0.1:1/nothing".to_owned(),
            application_name: "test".to_owned(),
            pool_size: 1,
        };
        let mut batches = Batches::new(connect(&settings).await.unwrap(), "replica-1");
        batches.longest_queue = 2;
        let enqueue = || {
            let (answer, answered) = oneshot::channel();
            (batches.enqueue(Uuid::nil(), Buyer { order_id: Uuid::new_v4(), answer }), answered)
        };

        let (first, first_answered) = enqueue();
        let (second, _) = enqueue();
        let (third, _) = enqueue();

        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(third, Err(ServiceError::Overloaded)));
        let answer = first_answered.await.unwrap();
        assert!(matches!(answer, Err(ServiceError::Database(_))), "there is no database");
        assert!(batches.queues.lock().unwrap().is_empty(), "the queue goes with the last who waits");
    }
}
