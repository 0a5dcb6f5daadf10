//! Purchases that carry a key: the same key gets the same answer, and the purchase is made once
//! (draft-ietf-httpapi-idempotency-key-header). Start with [`crate::StrategyService::sell_once`].
//!
//! A key covers what is in the database, and not the payment: an attempt that is made again authorizes the payment
//! again. A real payment provider would have to be given a key too.
//!
//! The answer is stored in the purchase's own transaction, so a crash at any moment leaves both or neither. While the
//! transaction runs, it holds an advisory lock on the key. A second request with the key meets this lock, on whichever
//! replica, and is told that the first is in flight. PostgreSQL releases the lock when the transaction ends.

mod kept_request;

use std::sync::atomic::{AtomicUsize, Ordering};

use flash_sale_core::order;
use flash_sale_repositories::{IdempotencyKeyRepository, IdempotencyRecord};
use sea_orm::{ConnectionTrait, DbErr};
use tokio::sync::Notify;
use uuid::Uuid;

use kept_request::KeptRequest;

use crate::error::ServiceError;
use crate::failure::Failure;
use crate::strategy::Strategy;

/// The status of an answer with an order. All other answers are refusals.
const SOLD: i16 = 200;
/// When so many are new, old ones are deleted. To delete so many takes some milliseconds.
const MANY_REFUSALS: usize = 1_000;
/// Refusals that were stored since old ones were last deleted. One process is one replica.
static NEW_REFUSALS: AtomicUsize = AtomicUsize::new(0);
static HAS_MANY: Notify = Notify::const_new();

/// Characters of the longest key.
const LONGEST_KEY: usize = 255;

/// A name that a client gives to one of its purchases.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A key of 1 to 255 characters, or `None`.
    pub fn new(text: String) -> Option<Self> {
        (1..=LONGEST_KEY).contains(&text.chars().count()).then_some(Self(text))
    }
}

/// An answer to a purchase, in the bytes that the client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Turns an outcome into an answer. The web layer gives this function, because it knows how answers look.
pub type AnswerWriter = fn(Result<&order::Model, &ServiceError>) -> WrittenAnswer;

/// A purchase that was settled, now or before.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The answer, the same for each request with the key.
    pub answer: WrittenAnswer,
    /// Whether it was settled by an earlier request.
    pub is_replay: bool,
}

/// A key, and the purchase that it is used for.
#[derive(Clone)]
pub(crate) struct Claim {
    key: String,
    request: KeptRequest,
    write: AnswerWriter,
}

/// The result of a claim.
pub(crate) enum Claimed {
    /// The key belongs to this transaction, which makes the purchase.
    New,
    /// There is an answer already.
    Settled(Settled),
    /// The key can't be used.
    Unusable(ServiceError),
}

impl Claim {
    /// A key for the purchase of this product by this strategy, or as the exercise does it.
    pub fn new(
        key: IdempotencyKey,
        product_id: Uuid,
        strategy: Option<Strategy>,
        write: AnswerWriter,
    ) -> Self {
        Self { key: key.0, request: KeptRequest { product_id, strategy }, write }
    }

    /// Claims the keys for the transaction, and returns the result for each of the claims, in their order.
    pub async fn take_all<C: ConnectionTrait>(
        transaction: &C,
        claims: &[&Self],
    ) -> Result<Vec<Claimed>, DbErr> {
        let keys = IdempotencyKeyRepository::new(transaction);
        let mut wanted: Vec<String> = claims.iter().map(|claim| claim.key.clone()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        // Reserve, then read, in two statements. A transaction that had the key before has committed by then, and the
        // second statement sees its record.
        let mut reserved = keys.try_reserve(&wanted).await?;
        let records = keys.get_current(&wanted).await?;

        let outcome_of = |claim: &&Self| {
            if let Some(record) = records.iter().find(|record| record.key == claim.key) {
                return claim.compare(record);
            }
            // If a key stands twice in a batch, the first claim gets it. To the second one, the first is in flight.
            match reserved.iter().position(|key| *key == claim.key) {
                Some(position) => {
                    reserved.swap_remove(position);
                    Claimed::New
                }
                None => Claimed::Unusable(ServiceError::KeyInFlight),
            }
        };
        Ok(claims.iter().map(outcome_of).collect())
    }

    fn compare(&self, record: &IdempotencyRecord) -> Claimed {
        if !self.request.is(&record.request) {
            return Claimed::Unusable(ServiceError::KeyReused);
        }
        let answer = WrittenAnswer { status: record.status as u16, body: record.body.clone() };
        Claimed::Settled(Settled { answer, is_replay: true })
    }

    /// Claims one key.
    pub async fn take<C: ConnectionTrait>(&self, transaction: &C) -> Result<Claimed, DbErr> {
        let claimed = Self::take_all(transaction, &[self]).await?;
        Ok(claimed.into_iter().next().expect("one for each claim"))
    }

    /// Claims the key once more, in a later transaction of the same purchase. Waits for requests with the key that are
    /// just looking: they must not cost this purchase its order.
    pub async fn take_again<C: ConnectionTrait>(&self, transaction: &C) -> Result<Claimed, DbErr> {
        IdempotencyKeyRepository::new(transaction).reserve(&self.key).await?;
        self.take(transaction).await
    }

    /// The client's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Writes the answer. [`store`] keeps it, in the form of its [`Self::record`].
    pub fn settle(&self, outcome: Result<&order::Model, &ServiceError>) -> Settled {
        Settled { answer: (self.write)(outcome), is_replay: false }
    }

    /// The record of an answer that this claim was settled with.
    pub fn record(&self, settled: &Settled) -> IdempotencyRecord {
        IdempotencyRecord {
            key: self.key.clone(),
            request: self.request.to_string(),
            status: settled.answer.status as i16,
            body: settled.answer.body.clone(),
        }
    }
}

/// Stores the records of the purchases that the transaction has made.
///
/// # Errors
/// [`Failure::Overtaken`] when a key has a record after all: at SERIALIZABLE, the transaction's snapshot may
/// be older than the moment at which it reserved the key.
pub(crate) async fn store<C: ConnectionTrait>(
    transaction: &C,
    records: &[IdempotencyRecord],
) -> Result<(), Failure> {
    let stored = IdempotencyKeyRepository::new(transaction).create(records).await?;
    if stored < records.len() {
        return Err(Failure::Overtaken);
    }
    let refusals = records.iter().filter(|record| record.status != SOLD).count();
    if NEW_REFUSALS.fetch_add(refusals, Ordering::Relaxed) + refusals >= MANY_REFUSALS {
        NEW_REFUSALS.store(0, Ordering::Relaxed);
        HAS_MANY.notify_one();
    }
    Ok(())
}

/// Returns when this replica has stored many refusals since the last time, so that old ones should be deleted.
pub(crate) async fn many_refusals() {
    HAS_MANY.notified().await;
}
