//! One batch of `batched`: all its buyers are sold to with one statement, and answered after its COMMIT.

use std::collections::HashMap;

use flash_sale_core::order;
use flash_sale_repositories::StockRepository;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait};
use uuid::Uuid;

use super::buyer::{AnswerSender, Buyer, Wants, tell};
use crate::begin;
use crate::commit::{CommitMark, marking};
use crate::error::ServiceError;
use crate::failure::Failure;
use crate::idempotency::{Claim, Claimed, Settled, store};
use crate::strategies::ending::end;
use crate::strategies::retry::until_settled;

/// Buyers who are sold to together.
pub(super) struct Batch<'a> {
    database: &'a DatabaseConnection,
    served_by: &'a str,
    product_id: Uuid,
    /// One for each buyer, in the order in which they came: a short stock goes to the first of them.
    order_ids: Vec<Uuid>,
    marks: Vec<CommitMark>,
    without_key: Vec<WithoutKey>,
    with_key: Vec<WithKey>,
}

struct WithoutKey {
    order_id: Uuid,
    answer: AnswerSender<order::Model>,
}

struct WithKey {
    order_id: Uuid,
    claim: Claim,
    answer: AnswerSender<Settled>,
}

/// What has come of an attempt to sell to the batch.
struct Outcome {
    sales: Sales,
    /// For each buyer with a key, in their order.
    settled: Vec<Result<Settled, ServiceError>>,
}

/// What one statement has sold: the orders by their ids.
enum Sales {
    NoSuchProduct,
    Orders(HashMap<Uuid, order::Model>),
}

impl Sales {
    fn of(&self, order_id: Uuid) -> Result<&order::Model, ServiceError> {
        match self {
            Self::NoSuchProduct => Err(ServiceError::ProductNotFound),
            Self::Orders(orders) => orders.get(&order_id).ok_or(ServiceError::OutOfStock),
        }
    }
}

impl<'a> Batch<'a> {
    /// A batch of these buyers, in the order in which they came.
    pub fn new(
        database: &'a DatabaseConnection,
        served_by: &'a str,
        product_id: Uuid,
        buyers: Vec<Buyer>,
    ) -> Self {
        let order_ids = buyers.iter().map(|buyer| buyer.order_id).collect();
        let marks = buyers.iter().map(|buyer| buyer.mark.clone()).collect();
        let mut without_key = Vec::new();
        let mut with_key = Vec::new();
        for Buyer { order_id, wants, .. } in buyers {
            match wants {
                Wants::Order(answer) => without_key.push(WithoutKey { order_id, answer }),
                Wants::KeptAnswer(claim, answer) => with_key.push(WithKey { order_id, claim, answer }),
            }
        }
        Self { database, served_by, product_id, order_ids, marks, without_key, with_key }
    }

    /// Sells to all, and answers each. A buyer who is dropped here without an answer is told by the mark of the request
    /// whether there may be an order. From COMMIT's answer to the buyers' own the marks say that there is none;
    /// nothing in between waits or can panic.
    pub async fn sell(self) {
        match CommitMark::follow_for_all(&self.marks, self.sell_to_all()).await {
            Ok(Outcome { sales, settled }) => {
                for buyer in self.without_key {
                    tell(buyer.answer, sales.of(buyer.order_id).cloned());
                }
                for (buyer, settled) in self.with_key.into_iter().zip(settled) {
                    tell(buyer.answer, settled);
                }
            }
            Err(error) => {
                self.without_key.into_iter().for_each(|buyer| tell(buyer.answer, Err(error.clone())));
                self.with_key.into_iter().for_each(|buyer| tell(buyer.answer, Err(error.clone())));
            }
        }
    }

    async fn sell_to_all(&self) -> Result<Outcome, ServiceError> {
        if self.with_key.is_empty() {
            // A statement is a transaction by itself.
            let sale = || async { Ok(marking(self.sell_to(self.database, &self.order_ids)).await?) };
            return Ok(Outcome { sales: until_settled(sale).await?, settled: Vec::new() });
        }
        until_settled(|| async {
            let transaction = begin::logging("BEGIN", self.database.begin()).await?;
            let outcome = self.sell_with_claims(&transaction).await;
            end(transaction, outcome).await
        })
        .await
    }

    /// Sells to the buyers without a key and to those whose key is new, and stores the answers to the new keys.
    async fn sell_with_claims(&self, transaction: &DatabaseTransaction) -> Result<Outcome, Failure> {
        let claims: Vec<&Claim> = self.with_key.iter().map(|buyer| &buyer.claim).collect();
        let claimed = Claim::take_all(transaction, &claims).await?;
        let mut buying = self.order_ids.clone();
        for (buyer, claimed) in self.with_key.iter().zip(&claimed) {
            if !matches!(claimed, Claimed::New) {
                buying.retain(|order_id| *order_id != buyer.order_id);
            }
        }
        let sales = self.sell_to(transaction, &buying).await?;

        let mut settled = Vec::new();
        let mut records = Vec::new();
        for (buyer, claimed) in self.with_key.iter().zip(claimed) {
            settled.push(match claimed {
                Claimed::Settled(settled) => Ok(settled),
                Claimed::Unusable(error) => Err(error),
                Claimed::New => match sales.of(buyer.order_id) {
                    Err(error) if !error.is_decision() => Err(error),
                    sold => {
                        let settled = buyer.claim.settle(sold.as_ref().copied());
                        records.push(buyer.claim.record(&settled));
                        Ok(settled)
                    }
                },
            });
        }
        if !records.is_empty() {
            store(transaction, &records).await?;
        }
        Ok(Outcome { sales, settled })
    }

    /// One statement: the first of the orders get a copy each, as long as there are any.
    async fn sell_to<C: ConnectionTrait>(&self, connection: &C, order_ids: &[Uuid]) -> Result<Sales, DbErr> {
        if order_ids.is_empty() {
            return Ok(Sales::Orders(HashMap::new()));
        }
        let stock = StockRepository::new(connection);
        let orders = stock.sell_copies(self.product_id, order_ids, self.served_by).await?;
        Ok(orders.map_or(Sales::NoSuchProduct, |orders| {
            Sales::Orders(orders.into_iter().map(|order| (order.id, order)).collect())
        }))
    }
}
