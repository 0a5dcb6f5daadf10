//! `reservation`: one short transaction takes the copy out of stock and writes a hold on it. Then the buyer pays, while
//! no lock and no connection is held. A second short transaction turns the hold into the order. A hold that is not
//! confirmed in time lapses, and its copy goes back into stock (`sweep.rs`).
//!
//! The race window stands between the two transactions, so slow payments of different buyers don't wait for one another.
//! Each hold is one row. The confirmation deletes the row. Giving the copy back deletes it, too. PostgreSQL lets only
//! one of them delete it, so a hold is confirmed or lapses, and never both.
//!
//! The payment is simulated. A real one is authorized between the two transactions, which only reserves the money. After
//! the confirmation the shop captures the money. When the hold has lapsed, it voids the authorization instead. So a buyer
//! whose hold has lapsed is never charged. A buyer who tries again needs an idempotency key at the provider, too.

mod hold;
mod sweep;

use std::time::Duration;

use flash_sale_core::order;
use flash_sale_repositories::{HeldStock, HoldRepository, NewHold};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait};
use uuid::Uuid;

use hold::Hold;

use super::ending::{end, end_without_order};
use super::retry::until_settled;
use crate::begin;
use crate::commit::marking;
use crate::error::ServiceError;
use crate::failure::Failure;
use crate::idempotency::{Claim, Claimed, Settled, store};
use crate::payment::PaymentProvider;

/// The reservations of one replica.
#[derive(Clone)]
pub(super) struct Reservations {
    database: DatabaseConnection,
    payment: PaymentProvider,
    served_by: String,
    hold_lasts: Duration,
}

/// What has come of the first transaction of a purchase with a key.
enum First {
    /// A copy is held, and its buyer may pay.
    Held,
    /// There is an answer already: an earlier one, or a refusal.
    Settled(Settled),
}

impl Reservations {
    pub fn new(
        database: DatabaseConnection,
        payment: PaymentProvider,
        served_by: &str,
        hold_lasts: Duration,
    ) -> Self {
        Self { database, payment, served_by: served_by.to_owned(), hold_lasts }
    }

    /// Sells one copy.
    pub async fn sell(&self, product_id: Uuid) -> Result<order::Model, ServiceError> {
        let hold = Hold::new(&self.database, product_id);
        // A statement is a transaction by itself. This one makes no order yet, so it is not marked as a COMMIT.
        until_settled(|| self.take(&self.database, &hold, None)).await?;
        self.pay(&hold).await?;
        let order = until_settled(|| async {
            let order = marking(self.holds(&self.database).confirm(hold.id, &self.served_by)).await?;
            order.ok_or_else(|| ServiceError::HoldLapsed.into())
        })
        .await?;
        hold.is_over();
        Ok(order)
    }

    /// Sells one copy to a purchase with a key. Both transactions claim the key. In between, the hold says that the
    /// purchase is in flight. If the replica dies there, the key can be used again as soon as the hold has lapsed and is
    /// swept.
    pub async fn sell_once(&self, product_id: Uuid, claim: Claim) -> Result<Settled, ServiceError> {
        let hold = Hold::new(&self.database, product_id);
        let first = until_settled(|| async {
            let transaction = begin::logging("BEGIN", self.database.begin()).await?;
            let first = self.take_with_key(&transaction, &hold, &claim).await;
            end_without_order(transaction, first).await
        });
        if let First::Settled(settled) = first.await? {
            return Ok(settled);
        }
        self.pay(&hold).await?;
        until_settled(|| async {
            let transaction = begin::logging("BEGIN", self.database.begin()).await?;
            let settled = self.confirm_with_key(&transaction, &hold, &claim).await;
            let settled = end(transaction, settled).await?;
            if !settled.is_replay {
                hold.is_over();
            }
            Ok(settled)
        })
        .await
    }

    async fn take_with_key(
        &self,
        transaction: &DatabaseTransaction,
        hold: &Hold,
        claim: &Claim,
    ) -> Result<First, Failure> {
        match claim.take(transaction).await? {
            Claimed::New => {}
            Claimed::Settled(settled) => return Ok(First::Settled(settled)),
            Claimed::Unusable(error) => return Err(error.into()),
        }
        if self.holds(transaction).has_key(claim.key()).await? {
            return Err(ServiceError::KeyInFlight.into());
        }
        match self.take(transaction, hold, Some(claim.key())).await {
            Ok(()) => Ok(First::Held),
            Err(Failure::Refused(error)) if error.is_decision() => {
                let settled = claim.settle(Err(&error));
                store(transaction, &[claim.record(&settled)]).await?;
                Ok(First::Settled(settled))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn confirm_with_key(
        &self,
        transaction: &DatabaseTransaction,
        hold: &Hold,
        claim: &Claim,
    ) -> Result<Settled, Failure> {
        match claim.take_again(transaction).await? {
            Claimed::New => {}
            // The hold has lapsed, and another request with the key has bought meanwhile.
            Claimed::Settled(settled) => return Ok(settled),
            // The key was used for another purchase meanwhile.
            Claimed::Unusable(error) => return Err(error.into()),
        }
        let order = self.holds(transaction).confirm(hold.id, &self.served_by).await?;
        let settled = claim.settle(Ok(&order.ok_or(ServiceError::HoldLapsed)?));
        store(transaction, &[claim.record(&settled)]).await?;
        Ok(settled)
    }

    /// Takes a copy and holds it.
    async fn take<C: ConnectionTrait>(
        &self,
        connection: &C,
        hold: &Hold,
        key: Option<&str>,
    ) -> Result<(), Failure> {
        let Hold { id, product_id, .. } = *hold;
        hold.may_exist();
        let holds = self.holds(connection);
        if holds.take_copy(NewHold { id, product_id, key, lasts: self.hold_lasts }).await? {
            return Ok(());
        }
        hold.is_over();
        Err(why_nothing_was_taken(&holds, product_id).await?)
    }

    /// The buyer pays. If the payment is declined, the copy goes back at once.
    async fn pay(&self, hold: &Hold) -> Result<(), ServiceError> {
        if self.payment.is_authorized().await {
            return Ok(());
        }
        hold.give_back().await;
        Err(ServiceError::PaymentDeclined)
    }

    fn holds<'a, C: ConnectionTrait>(&self, connection: &'a C) -> HoldRepository<'a, C> {
        HoldRepository::new(connection)
    }
}

/// "Out of stock" is final. As long as a copy is only held, its payment may still fail.
async fn why_nothing_was_taken<C: ConnectionTrait>(
    holds: &HoldRepository<'_, C>,
    product_id: Uuid,
) -> Result<Failure, DbErr> {
    Ok(match holds.get_held_stock(product_id).await? {
        None => ServiceError::ProductNotFound.into(),
        // A copy has come back in the meantime.
        Some(HeldStock { quantity: 1.., .. }) => Failure::Overtaken,
        Some(HeldStock { held: 1.., .. }) => ServiceError::AllHeld.into(),
        Some(_) => ServiceError::OutOfStock.into(),
    })
}
