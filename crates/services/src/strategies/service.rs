//! Runs a purchase by the strategy that the buyer has named: begins and ends its transactions, and makes the attempt
//! again when another buyer was faster. With a key, the purchase is one step of a transaction that also keeps the
//! answer.

use std::sync::Arc;
use std::time::Duration;

use flash_sale_core::order;
use flash_sale_repositories::IdempotencyKeyRepository;
use sea_orm::{
    DatabaseConnection, DatabaseExecutor, DatabaseTransaction, DbErr, IsolationLevel, TransactionTrait,
};
use uuid::Uuid;

use super::batched::Batches;
use super::bulkhead::{Bulkhead, Place};
use super::ending::{end, end_without_order};
use super::reservation::Reservations;
use super::retry::until_settled;
use super::sale::Sale;
use super::{
    advisory_lock, atomic_update, check_constraint, no_key_update, nowait, optimistic, pessimistic,
    serializable, single_statement, skip_locked, stock_buckets, unlocked,
};
use crate::begin;
use crate::error::ServiceError;
use crate::failure::Failure;
use crate::idempotency::{AnswerWriter, Claim, Claimed, IdempotencyKey, Settled, many_refusals, store};
use crate::order_service::OrderService;
use crate::payment::PaymentProvider;
use crate::strategy::Strategy;
use crate::till_database::TillDatabase;

/// How many refusals are kept: one for each buyer of a large crowd, about 50 MB with the longest keys. There has to be
/// a limit, because a refusal takes no copy, so anybody can cause any number of them.
const MOST_REFUSALS: u32 = 50_000;
/// How many refusals one statement deletes. More might take longer than its time limit.
const REFUSALS_AT_ONCE: u32 = 10_000;

/// The shop's other tills, one for each strategy.
#[derive(Clone)]
pub struct StrategyService {
    database: DatabaseConnection,
    payment: PaymentProvider,
    served_by: String,
    bulkhead: Bulkhead,
    batches: Batches,
    reservations: Reservations,
}

impl StrategyService {
    /// Tills of the replica `served_by`, whose name goes on each order. A copy that `reservation` has taken is held for
    /// `hold_lasts`.
    pub fn new(
        database: DatabaseConnection,
        payment: PaymentProvider,
        served_by: &str,
        hold_lasts: Duration,
    ) -> Self {
        let batches = Batches::new(database.clone(), served_by);
        let reservations = Reservations::new(database.clone(), payment.clone(), served_by, hold_lasts);
        Self {
            database,
            payment,
            served_by: served_by.to_owned(),
            bulkhead: Bulkhead::new(),
            batches,
            reservations,
        }
    }

    /// Sells one copy of the product by `strategy`, and returns the order.
    ///
    /// # Errors
    /// As [`OrderService::create_order`]; also [`ServiceError::Busy`], [`ServiceError::Overloaded`],
    /// [`ServiceError::Interrupted`] and [`ServiceError::StrategyNeeds`]. Each leaves no order and the stock as it
    /// was. `reservation` has three more: [`ServiceError::AllHeld`], [`ServiceError::HoldLapsed`] and
    /// [`ServiceError::PaymentDeclined`].
    pub async fn sell(&self, strategy: Strategy, product_id: Uuid) -> Result<order::Model, ServiceError> {
        match strategy {
            Strategy::Batched => self.batches.sell(product_id, &self.payment).await,
            Strategy::Reservation => self.reservations.sell(product_id).await,
            // A statement is a transaction by itself.
            Strategy::SingleStatement => {
                let place = self.bulkhead.place(product_id);
                let executor = DatabaseExecutor::Connection(&self.database);
                let sale = Sale { place: Some(&place), ..self.sale(executor, product_id) };
                until_settled(|| single_statement::sell(&sale)).await
            }
            _ => {
                let _place = self.place_before_begin(Some(strategy), product_id).await?;
                until_settled(|| async {
                    let transaction = self.begin(Some(strategy)).await?;
                    let executor = DatabaseExecutor::Transaction(&transaction);
                    let sold = attempt(strategy, &self.sale(executor, product_id)).await;
                    end(transaction, sold).await
                })
                .await
            }
        }
    }

    /// Sells one copy at most once for each key, by `strategy` or as the exercise does, and returns the
    /// answer, which `write` has written now or for an earlier request.
    ///
    /// # Errors
    /// [`ServiceError::KeyInFlight`] and [`ServiceError::KeyReused`]; otherwise as [`Self::sell`]. Only
    /// [`ServiceError::OutOfStock`] is no error here: it is the shop's decision, and is written as an answer.
    pub async fn sell_once(
        &self,
        key: IdempotencyKey,
        strategy: Option<Strategy>,
        product_id: Uuid,
        write: AnswerWriter,
    ) -> Result<Settled, ServiceError> {
        let claim = Claim::new(key, product_id, strategy, write);
        match strategy {
            Some(Strategy::Batched) => {
                return self.batches.sell_once(product_id, &self.payment, claim).await;
            }
            Some(Strategy::Reservation) => return self.reservations.sell_once(product_id, claim).await,
            _ => {}
        }
        let _place = self.place_before_begin(strategy, product_id).await?;
        until_settled(|| async {
            let transaction = Arc::new(self.begin(strategy).await?);
            let settled = self.sell_within(&transaction, &claim, strategy, product_id).await;
            // If the exercise has kept it for later, nothing is committed.
            let transaction = Arc::into_inner(transaction).ok_or(ServiceError::Interrupted)?;
            end(transaction, settled).await
        })
        .await
    }

    /// Gives the copies of holds that have lapsed back, and returns how many.
    ///
    /// # Errors
    /// [`ServiceError::Database`].
    pub async fn give_back_lapsed(&self) -> Result<u64, ServiceError> {
        self.reservations.sweep().await
    }

    /// Returns when there are so many new refusals that [`Self::forget_old_keys`] has something to do.
    pub async fn many_refusals(&self) {
        many_refusals().await;
    }

    /// Deletes what was kept for keys that have expired, and the oldest refusals if there are too many. Returns how
    /// many there were.
    ///
    /// # Errors
    /// [`ServiceError::Database`].
    pub async fn forget_old_keys(&self) -> Result<u64, ServiceError> {
        let keys = IdempotencyKeyRepository::new(&self.database);
        let mut count = keys.delete_expired().await?;
        loop {
            let deleted = keys.delete_refusals(MOST_REFUSALS, REFUSALS_AT_ONCE).await?;
            count += deleted;
            if deleted < REFUSALS_AT_ONCE.into() {
                return Ok(count);
            }
        }
    }

    /// Claims the key, makes the purchase, and stores the answer, within `transaction`. The purchase stands
    /// between SAVEPOINT and RELEASE, so that a refused one leaves a transaction in which its refusal can be
    /// stored.
    async fn sell_within(
        &self,
        transaction: &Arc<DatabaseTransaction>,
        claim: &Claim,
        strategy: Option<Strategy>,
        product_id: Uuid,
    ) -> Result<Settled, Failure> {
        match claim.take(&**transaction).await? {
            Claimed::New => {}
            Claimed::Settled(settled) => return Ok(settled),
            Claimed::Unusable(error) => return Err(error.into()),
        }

        let sold = match strategy {
            None => {
                let database = TillDatabase::within(Arc::clone(transaction));
                let till = OrderService::new(database, self.payment.clone(), &self.served_by);
                till.create_order(product_id).await.map_err(Failure::from)
            }
            Some(strategy) => {
                let savepoint = begin::logging("SAVEPOINT", transaction.begin()).await?;
                let executor = DatabaseExecutor::Transaction(&savepoint);
                let sold = attempt(strategy, &self.sale(executor, product_id)).await;
                end_without_order(savepoint, sold).await
            }
        };
        let settled = match sold {
            Ok(order) => claim.settle(Ok(&order)),
            Err(Failure::Refused(error)) if error.is_decision() => claim.settle(Err(&error)),
            Err(failure) => return Err(failure),
        };
        store(&**transaction, &[claim.record(&settled)]).await?;
        Ok(settled)
    }

    /// Begins an attempt's transaction. PostgreSQL's default isolation level is READ COMMITTED.
    async fn begin(&self, strategy: Option<Strategy>) -> Result<DatabaseTransaction, DbErr> {
        let isolation: Option<IsolationLevel> =
            (strategy == Some(Strategy::Serializable)).then_some(serializable::ISOLATION);
        begin::logging("BEGIN", self.database.begin_with_config(isolation, None)).await
    }

    /// A place for this buyer, where the strategy's first statement locks the product. The others would pay while they
    /// keep everybody else away.
    async fn place_before_begin(
        &self,
        strategy: Option<Strategy>,
        product_id: Uuid,
    ) -> Result<Option<Place>, ServiceError> {
        let Some(Strategy::Pessimistic | Strategy::NoKeyUpdate | Strategy::AdvisoryLock) = strategy else {
            return Ok(None);
        };
        let place = self.bulkhead.place(product_id);
        place.take().await?;
        Ok(Some(place))
    }

    fn sale<'a>(&'a self, connection: DatabaseExecutor<'a>, product_id: Uuid) -> Sale<'a> {
        Sale { connection, payment: &self.payment, product_id, served_by: &self.served_by, place: None }
    }
}

/// One attempt by the strategy.
async fn attempt(strategy: Strategy, sale: &Sale<'_>) -> Result<order::Model, Failure> {
    match strategy {
        Strategy::Unlocked => unlocked::sell(sale).await,
        Strategy::Pessimistic => pessimistic::sell(sale).await,
        Strategy::NoKeyUpdate => no_key_update::sell(sale).await,
        Strategy::Nowait => nowait::sell(sale).await,
        Strategy::Optimistic => optimistic::sell(sale).await,
        Strategy::AtomicUpdate => atomic_update::sell(sale).await,
        Strategy::SingleStatement => single_statement::sell(sale).await,
        Strategy::CheckConstraint => check_constraint::sell(sale).await,
        Strategy::Serializable => serializable::sell(sale).await,
        Strategy::AdvisoryLock => advisory_lock::sell(sale).await,
        Strategy::SkipLocked => skip_locked::sell(sale).await,
        Strategy::StockBuckets => stock_buckets::sell(sale).await,
        Strategy::Batched | Strategy::Reservation => unreachable!("it has its own transactions"),
    }
}
