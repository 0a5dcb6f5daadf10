//! Keeps the last transactions that have ended, and says when there is something new. Its memory is bounded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::recorded::RecordedTransaction;

/// The limits of the transactions that matter: how many are kept, and how many bytes.
const KEPT: Limit = Limit { transactions: 10_000, bytes: 48 << 20 };
/// The same for the others: health checks, pages.
const KEPT_OF_OTHERS: Limit = Limit { transactions: 1_000, bytes: 4 << 20 };

/// The transactions that have ended.
pub struct Archive {
    numbers: AtomicU64,
    rings: Mutex<Rings>,
    /// Counts what has happened.
    pub news: watch::Sender<u64>,
    /// Told when a statement is sent.
    pub statement_sent: Notify,
}

struct Rings {
    mattering: Ring,
    others: Ring,
}

struct Ring {
    transactions: VecDeque<Arc<RecordedTransaction>>,
    bytes: usize,
    limit: Limit,
}

#[derive(Clone, Copy)]
struct Limit {
    transactions: usize,
    bytes: usize,
}

impl Default for Archive {
    fn default() -> Self {
        Self {
            numbers: AtomicU64::new(1),
            rings: Mutex::new(Rings { mattering: Ring::new(KEPT), others: Ring::new(KEPT_OF_OTHERS) }),
            news: watch::Sender::new(0),
            statement_sent: Notify::new(),
        }
    }
}

impl Archive {
    /// The next transaction's number.
    pub fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Says that something has happened.
    pub fn tell(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    /// Keeps a transaction that has ended.
    pub fn keep(&self, transaction: RecordedTransaction) {
        let mut rings = self.rings.lock();
        if transaction.matters() {
            rings.mattering.push(transaction)
        } else {
            rings.others.push(transaction)
        }
        drop(rings);
        self.tell();
    }

    /// The transaction with this number, if it has ended and is still kept.
    pub fn find(&self, number: u64) -> Option<Arc<RecordedTransaction>> {
        let rings = self.rings.lock();
        let mut all = rings.mattering.transactions.iter().chain(&rings.others.transactions);
        all.find(|transaction| transaction.number == number).cloned()
    }

    /// The newest ones that have ended: those that matter, or the others. The newest one comes first.
    pub fn newest(&self, limit: usize, that_matter: bool) -> Vec<Arc<RecordedTransaction>> {
        let rings = self.rings.lock();
        let ring = if that_matter { &rings.mattering } else { &rings.others };
        ring.transactions.iter().rev().take(limit).cloned().collect()
    }
}

impl Ring {
    fn new(limit: Limit) -> Self {
        Self { transactions: VecDeque::new(), bytes: 0, limit }
    }

    fn push(&mut self, transaction: RecordedTransaction) {
        self.bytes += transaction.size();
        self.transactions.push_back(Arc::new(transaction));
        while self.transactions.len() > self.limit.transactions || self.bytes > self.limit.bytes {
            let Some(oldest) = self.transactions.pop_front() else { break };
            self.bytes -= oldest.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::protocol::sql::Prepared;
    use crate::recorded::RecordedStatement;

    #[test]
    fn only_so_many_transactions_and_bytes_are_kept_and_health_checks_push_no_purchase_out() {
        let archive = Archive::default();
        archive.keep(one(&archive, b"UPDATE products SET quantity = 0".to_vec()));
        for _ in 0..KEPT_OF_OTHERS.transactions + 7 {
            archive.keep(one(&archive, b"SELECT 1".to_vec()));
        }

        assert_eq!(archive.newest(usize::MAX, false).len(), KEPT_OF_OTHERS.transactions);
        assert_eq!(archive.newest(usize::MAX, true).len(), 1);

        let long = [b"UPDATE orders SET note = '".as_slice(), &[b'x'; 8000]].concat();
        for _ in 0..KEPT.transactions + 7 {
            archive.keep(one(&archive, long.clone()));
        }
        let kept = archive.newest(usize::MAX, true);
        assert!(kept.len() < KEPT.transactions, "{}", kept.len());
        assert!(kept.iter().map(|transaction| transaction.size()).sum::<usize>() <= KEPT.bytes);
        assert!(kept[0].number > kept[1].number, "the newest one comes first");
    }

    fn one(archive: &Archive, sql: Vec<u8>) -> RecordedTransaction {
        let mut transaction =
            RecordedTransaction::begin(archive.next_number(), "replica-1".into(), 1, Instant::now());
        let prepared = Arc::new(Prepared::new(&sql, Vec::new(), true));
        transaction.add(RecordedStatement::begin(prepared, None, Instant::now()));
        transaction
    }
}
