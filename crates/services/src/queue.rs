//! Queues. In `batched`, the buyers of one product wait in one queue. The readers of one page wait in another. A task
//! serves each queue at its [`Counter`]. A queue exists exactly as long as its counter. A buyer or reader who finds no
//! queue opens one, and starts a task for it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

/// The queues of one replica. Who wants `K` waits as a `W`.
pub(crate) struct Queues<K, W> {
    queues: Arc<Mutex<HashMap<K, VecDeque<W>>>>,
    longest: usize,
}

/// The queue has no room for another one.
#[derive(Debug)]
pub(crate) struct Full;

/// The end of a queue at which those in it are served. It belongs to a task. However the task ends (by a panic, aborted,
/// or with its runtime), the queue ends with it, and those who still wait are dropped.
pub(crate) struct Counter<K: Copy + Eq + Hash, W> {
    queues: Queues<K, W>,
    key: K,
    is_open: bool,
}

impl<K: Copy + Eq + Hash, W> Queues<K, W> {
    /// Queues of at most `longest`.
    pub fn new(longest: usize) -> Self {
        Self { queues: Arc::default(), longest }
    }

    /// Puts `waits` at the end of the queue for `key`. If the queue is a new one, returns its counter, and the caller
    /// starts a task for it. The task can't be started here, under the lock: a runtime that ends drops a new task at
    /// once, and the drop of the counter takes the lock too.
    pub fn join(&self, key: K, waits: W) -> Result<Option<Counter<K, W>>, Full> {
        match self.lock().entry(key) {
            Entry::Occupied(queue) if queue.get().len() >= self.longest => Err(Full),
            Entry::Occupied(mut queue) => {
                queue.get_mut().push_back(waits);
                Ok(None)
            }
            Entry::Vacant(place) => {
                place.insert(VecDeque::from([waits]));
                Ok(Some(Counter { queues: self.clone(), key, is_open: true }))
            }
        }
    }

    /// How many wait for `key`, if there is a queue.
    #[cfg(test)]
    pub fn count_waiting(&self, key: K) -> Option<usize> {
        self.lock().get(&key).map(VecDeque::len)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, VecDeque<W>>> {
        self.queues.lock()
    }
}

impl<K, W> Clone for Queues<K, W> {
    fn clone(&self) -> Self {
        Self { queues: Arc::clone(&self.queues), longest: self.longest }
    }
}

impl<K: Copy + Eq + Hash, W> Counter<K, W> {
    /// What those in the queue want.
    pub fn key(&self) -> K {
        self.key
    }

    /// Takes up to `most`, in the order they came. When nobody waits, the queue ends under the same lock, so that nobody
    /// joins a queue that no task serves any more.
    pub fn take_waiting(&mut self, most: usize) -> Vec<W> {
        let mut queues = self.queues.lock();
        let Some(queue) = queues.get_mut(&self.key).filter(|_| self.is_open) else {
            return Vec::new();
        };
        let taken: Vec<W> = queue.drain(..most.min(queue.len())).collect();
        if taken.is_empty() {
            queues.remove(&self.key);
            self.is_open = false;
        }
        taken
    }
}

impl<K: Copy + Eq + Hash, W> Drop for Counter<K, W> {
    fn drop(&mut self) {
        // If this counter's queue has ended before, there may be a new queue with another counter.
        if self.is_open {
            let left = self.queues.lock().remove(&self.key);
            drop(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCT: u128 = 1;

    #[test]
    fn a_queue_ends_when_nobody_waits_and_who_comes_next_opens_another() {
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
    fn a_queue_ends_with_its_counter_and_so_does_the_wait_of_those_in_it() {
        let queues = Queues::new(3);
        let buyer = Arc::new(());
        let counter = queues.join(PRODUCT, Arc::clone(&buyer)).unwrap();

        drop(counter);

        assert_eq!(Arc::strong_count(&buyer), 1, "nobody waits any more");
        assert!(queues.join(PRODUCT, buyer).unwrap().is_some(), "and the next buyer opens another");
    }
}
