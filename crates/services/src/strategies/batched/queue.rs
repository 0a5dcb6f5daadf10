//! The queues of `batched`: one for each product that somebody waits for. A task serves each queue at its [`Counter`].
//! A queue exists exactly as long as its counter. A buyer who finds no queue opens one, and starts a task for it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use uuid::Uuid;

/// The queues of one replica.
pub(super) struct Queues<B> {
    queues: Arc<Mutex<HashMap<Uuid, VecDeque<B>>>>,
    longest: usize,
}

/// The queue has no room for another buyer.
#[derive(Debug)]
pub(super) struct Full;

/// The end of a queue at which its buyers are served. It belongs to a task. However the task ends (by a panic, aborted,
/// or with its runtime), the queue ends with it, and the buyers who still wait are dropped.
pub(super) struct Counter<B> {
    queues: Queues<B>,
    product_id: Uuid,
    is_open: bool,
}

impl<B> Queues<B> {
    /// Queues of at most `longest` buyers.
    pub fn new(longest: usize) -> Self {
        Self { queues: Arc::default(), longest }
    }

    /// Puts the buyer at the end of the product's queue. If the queue is a new one, returns its counter, and the caller
    /// starts a task for it. The task can't be started here, under the lock: a runtime that ends drops a new task at
    /// once, and the drop of the counter takes the lock too.
    pub fn join(&self, product_id: Uuid, buyer: B) -> Result<Option<Counter<B>>, Full> {
        match self.lock().entry(product_id) {
            Entry::Occupied(queue) if queue.get().len() >= self.longest => Err(Full),
            Entry::Occupied(mut queue) => {
                queue.get_mut().push_back(buyer);
                Ok(None)
            }
            Entry::Vacant(place) => {
                place.insert(VecDeque::from([buyer]));
                Ok(Some(Counter { queues: self.clone(), product_id, is_open: true }))
            }
        }
    }

    /// How many wait for the product, if there is a queue.
    #[cfg(test)]
    pub fn count_waiting(&self, product_id: Uuid) -> Option<usize> {
        self.lock().get(&product_id).map(VecDeque::len)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, VecDeque<B>>> {
        self.queues.lock()
    }
}

impl<B> Clone for Queues<B> {
    fn clone(&self) -> Self {
        Self { queues: Arc::clone(&self.queues), longest: self.longest }
    }
}

impl<B> Counter<B> {
    /// The product that is sold here.
    pub fn product_id(&self) -> Uuid {
        self.product_id
    }

    /// Takes up to `most` buyers, in the order they came. When nobody waits, the queue ends under the same lock, so
    /// that no buyer joins a queue that no task serves any more.
    pub fn take_waiting(&mut self, most: usize) -> Vec<B> {
        let mut queues = self.queues.lock();
        let Some(queue) = queues.get_mut(&self.product_id).filter(|_| self.is_open) else {
            return Vec::new();
        };
        let taken: Vec<B> = queue.drain(..most.min(queue.len())).collect();
        if taken.is_empty() {
            queues.remove(&self.product_id);
            self.is_open = false;
        }
        taken
    }
}

impl<B> Drop for Counter<B> {
    fn drop(&mut self) {
        // If this counter's queue has ended before, there may be a new queue with another counter.
        if self.is_open {
            let left = self.queues.lock().remove(&self.product_id);
            drop(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCT: Uuid = Uuid::nil();

    #[test]
    fn a_queue_ends_when_nobody_waits_and_the_next_buyer_opens_another() {
        let queues = Queues::new(3);
        let mut first = queues.join(PRODUCT, 1).unwrap().expect("it is new");
        assert!(queues.join(PRODUCT, 2).unwrap().is_none());
        assert!(queues.join(PRODUCT, 3).unwrap().is_none());
        assert!(queues.join(PRODUCT, 4).is_err(), "there is no room");

        assert_eq!(first.take_waiting(2), [1, 2]);
        assert_eq!(first.take_waiting(2), [3]);
        assert!(first.take_waiting(2).is_empty());
        let mut second = queues.join(PRODUCT, 5).unwrap().expect("it is new");
        assert!(first.take_waiting(2).is_empty(), "those are the second's");
        drop(first);

        assert!(queues.join(PRODUCT, 6).unwrap().is_none(), "the second is still there");
        assert_eq!(second.take_waiting(2), [5, 6]);
        assert!(second.take_waiting(2).is_empty() && queues.count_waiting(PRODUCT).is_none());
    }

    #[test]
    fn a_queue_ends_with_its_counter_and_so_does_the_wait_of_its_buyers() {
        let queues = Queues::new(3);
        let buyer = Arc::new(());
        let counter = queues.join(PRODUCT, Arc::clone(&buyer)).unwrap();

        drop(counter);

        assert_eq!(Arc::strong_count(&buyer), 1, "nobody waits any more");
        assert!(queues.join(PRODUCT, buyer).unwrap().is_some(), "and the next buyer opens another");
    }
}
