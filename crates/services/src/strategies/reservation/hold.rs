//! A hold in the hands of the request that has written it. However the request ends, the copy goes back at once, unless
//! the hold has become an order. If the replica dies, nobody gives it back, and the hold lapses.

use std::sync::atomic::{AtomicBool, Ordering};

use flash_sale_repositories::{HoldRepository, StockRepository};
use sea_orm::{DatabaseConnection, DbErr, TransactionTrait};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::begin;
use crate::log_context::LogContext;

/// A hold that may be in the database.
pub(super) struct Hold {
    pub id: Uuid,
    pub product_id: Uuid,
    database: DatabaseConnection,
    may_exist: AtomicBool,
}

impl Hold {
    /// A hold that is not in the database yet.
    pub fn new(database: &DatabaseConnection, product_id: Uuid) -> Self {
        let (id, database) = (Uuid::new_v4(), database.clone());
        Self { id, product_id, database, may_exist: AtomicBool::new(false) }
    }

    /// From now on it may be in the database.
    pub fn may_exist(&self) {
        self.may_exist.store(true, Ordering::Relaxed);
    }

    /// It is not in the database, and won't be again: it has become an order, was given back, or was never written.
    pub fn is_over(&self) {
        self.may_exist.store(false, Ordering::Relaxed);
    }

    /// Gives the copy back, if it is still held. If that fails, the hold lapses later.
    pub async fn give_back(&self) {
        self.is_over();
        give_back(&self.database, self.id, self.product_id).await;
    }
}

/// The request ends with an error, or its client has left. A confirmation that is still under way in the database is
/// waited for: the DELETE below waits for the row of the hold.
impl Drop for Hold {
    fn drop(&mut self) {
        if !self.may_exist.load(Ordering::Relaxed) {
            return;
        }
        let (database, id, product_id) = (self.database.clone(), self.id, self.product_id);
        let log_context = LogContext::current();
        let task = async move { log_context.follow(give_back(&database, id, product_id)).await };
        // Without a runtime the replica is at its end.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(task);
        }
    }
}

async fn give_back(database: &DatabaseConnection, id: Uuid, product_id: Uuid) {
    if let Err(error) = try_to_give_back(database, id, product_id).await {
        log::debug!("the hold {id} was not given back, and lapses later: {error}");
    }
}

/// The product's row is locked before the hold's, as a reset does it: otherwise the two could deadlock.
async fn try_to_give_back(database: &DatabaseConnection, id: Uuid, product_id: Uuid) -> Result<(), DbErr> {
    let transaction = begin::logging("BEGIN", database.begin()).await?;
    let stock = StockRepository::new(&transaction);
    stock.give_back(product_id, 1).await?;
    // Somebody else may have given the copy back, or sold it.
    if HoldRepository::new(&transaction).delete(id).await? {
        transaction.commit().await
    } else {
        transaction.rollback().await
    }
}
