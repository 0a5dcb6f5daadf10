//! A bulkhead: of the buyers who would wait in PostgreSQL for the lock of one product anyway, a replica lets only a few
//! in at a time. The others wait here, in the order they came, where a wait costs nothing. In PostgreSQL each of them
//! would hold a connection, and each COMMIT would wake up those who wait for the row only to let them wait again.
//!
//! Nobody who has a connection waits here. Otherwise those who have a place could wait for a connection, and those who
//! have the connections for a place.
//!
//! It decides nothing about the sale: the lock does. Without the bulkhead the same copies are sold, more slowly.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flash_sale_core::limits::BULKHEAD_TIMEOUT;
use parking_lot::Mutex;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use uuid::Uuid;

use crate::error::ServiceError;

/// So many buyers of one product are let in by a replica at once. One holds the lock, and one waits for it: when the
/// first COMMIT is there, the next buyer's statement already is, too.
const LET_IN: usize = 2;

/// The bulkhead of one replica. A product has a room while somebody has a place in it or waits for one.
#[derive(Clone)]
pub(super) struct Bulkhead {
    rooms: Arc<Mutex<HashMap<Uuid, Arc<Semaphore>>>>,
    longest_wait: Duration,
}

/// One buyer's place. It is free again when this is dropped, so this has to live until COMMIT or ROLLBACK.
pub(super) struct Place {
    bulkhead: Bulkhead,
    product_id: Uuid,
    room: Arc<Semaphore>,
    permit: OnceCell<OwnedSemaphorePermit>,
}

impl Bulkhead {
    pub fn new() -> Self {
        Self { rooms: Arc::default(), longest_wait: BULKHEAD_TIMEOUT }
    }

    /// A place for a buyer of the product, which isn't taken yet.
    pub fn place(&self, product_id: Uuid) -> Place {
        let mut rooms = self.rooms.lock();
        let room = Arc::clone(rooms.entry(product_id).or_insert_with(|| Arc::new(Semaphore::new(LET_IN))));
        Place { bulkhead: self.clone(), product_id, room, permit: OnceCell::new() }
    }
}

impl Place {
    /// Takes the place, and waits until it is free. Nothing happens where this buyer has it already.
    ///
    /// # Errors
    /// [`ServiceError::Overloaded`] after [`BULKHEAD_TIMEOUT`].
    pub async fn take(&self) -> Result<(), ServiceError> {
        let wait = || async {
            let in_time = timeout(self.bulkhead.longest_wait, Arc::clone(&self.room).acquire_owned()).await;
            Ok(in_time.map_err(|_| ServiceError::Overloaded)?.expect("a room is never closed"))
        };
        self.permit.get_or_try_init(wait).await.map(drop)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut rooms = self.bulkhead.rooms.lock();
        drop(self.permit.take());
        // The map's own and this one: nobody else is there. Under the lock, nobody comes.
        if Arc::strong_count(&self.room) == 2 {
            rooms.remove(&self.product_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    const PRODUCT: Uuid = Uuid::nil();

    #[tokio::test]
    async fn two_buyers_of_a_product_are_let_in_and_the_next_ones_come_in_order() {
        let bulkhead = Bulkhead::new();
        let mut places: Vec<Place> = (0..4).map(|_| bulkhead.place(PRODUCT)).collect();
        let of_another_product = bulkhead.place(Uuid::max());
        let (fourth, third) = (places.pop().unwrap(), places.pop().unwrap());
        for place in &places {
            place.take().await.unwrap();
            place.take().await.expect("it has it already");
        }
        of_another_product.take().await.unwrap();
        let (mut third, mut fourth) = (Box::pin(third.take()), Box::pin(fourth.take()));
        assert!(!is_done(&mut third) && !is_done(&mut fourth));

        places.pop();

        assert!(!is_done(&mut fourth), "the third came earlier");
        assert!(is_done(&mut third));
        places.pop();
        assert!(is_done(&mut fourth));
    }

    #[tokio::test]
    async fn whoever_leaves_keeps_nothing() {
        let bulkhead = Bulkhead::new();
        let inside = [bulkhead.place(PRODUCT), bulkhead.place(PRODUCT)];
        for place in &inside {
            place.take().await.unwrap();
        }
        let leaves = bulkhead.place(PRODUCT);
        {
            let mut wait = Box::pin(leaves.take());
            assert!(!is_done(&mut wait));
        }
        drop(inside);
        assert!(!bulkhead.rooms.lock().is_empty(), "one is left");
        drop(leaves);

        assert!(bulkhead.rooms.lock().is_empty());
    }

    #[tokio::test]
    async fn whoever_has_waited_too_long_is_sent_away() {
        let bulkhead = Bulkhead { longest_wait: Duration::ZERO, ..Bulkhead::new() };
        let inside = [bulkhead.place(PRODUCT), bulkhead.place(PRODUCT)];
        for place in &inside {
            place.take().await.unwrap();
        }

        let told = bulkhead.place(PRODUCT).take().await;

        assert!(matches!(told, Err(ServiceError::Overloaded)), "{told:?}");
    }

    fn is_done(wait: &mut (impl Future<Output = Result<(), ServiceError>> + Unpin)) -> bool {
        matches!(std::pin::Pin::new(wait).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(())))
    }
}
