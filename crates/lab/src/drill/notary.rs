//! Looks for the order of each sale right after its buyer was told of it. The order must be there by then, and not
//! only in the end. Start with [`Notary::open`].

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::shop::database::ShopDatabase;

/// The pause between two looks. An order that comes late comes within the next purchases on its connection.
const PAUSE: Duration = Duration::from_millis(5);

/// Sees every sale, and looks for its order.
pub struct Notary {
    counter: Counter,
    task: JoinHandle<usize>,
    enough: DropGuard,
}

/// The place where sales are shown to the notary.
#[derive(Clone, Default)]
pub struct Counter(Arc<Mutex<Vec<Uuid>>>);

impl Notary {
    /// Begins to look into this database.
    pub fn open(database: &ShopDatabase) -> Self {
        let (counter, enough) = (Counter::default(), CancellationToken::new());
        let task = tokio::spawn(look_again_and_again(database.clone(), counter.clone(), enough.clone()));
        Self { counter, task, enough: enough.drop_guard() }
    }

    /// The counter where sales are to be shown.
    pub fn counter(&self) -> Counter {
        self.counter.clone()
    }

    /// Stops looking. Returns how many of the orders were not there yet when their buyers were told.
    pub async fn close(self) -> usize {
        drop(self.enough);
        self.task.await.unwrap_or_default()
    }
}

impl Counter {
    /// Shows an order whose buyer was told of it just now.
    pub fn show(&self, order: Uuid) {
        self.0.lock().push(order);
    }

    fn take(&self) -> Vec<Uuid> {
        std::mem::take(&mut *self.0.lock())
    }
}

async fn look_again_and_again(database: ShopDatabase, counter: Counter, enough: CancellationToken) -> usize {
    let mut missing = 0;
    loop {
        let is_last = enough.is_cancelled();
        let orders = counter.take();
        if !orders.is_empty() {
            // The fault may be that the database is away. Then nobody knows whether an order is missing.
            missing += database.missing_orders(&orders).await.unwrap_or_default();
        }
        if is_last {
            return missing;
        }
        sleep(PAUSE).await;
    }
}
