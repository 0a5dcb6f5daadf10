//! What the wire has seen: the transactions that are open, and the last ones that have ended.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::archive::Archive;
use crate::recorded::{Blocker, RecordedTransaction};
use crate::tape::{InFlight, Tape};
use crate::trace::Transaction;

/// What the wire has seen. A copy of this value shows the same.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Shelf>);

#[derive(Default)]
struct Shelf {
    archive: Arc<Archive>,
    tapes: Mutex<HashMap<u64, Arc<Mutex<Tape>>>>,
    next_tape: AtomicU64,
}

/// The tape of a connection that lives. When this value is dropped, the connection has ended.
pub(crate) struct RunningTape {
    /// The tape.
    pub tape: Arc<Mutex<Tape>>,
    id: u64,
    recorder: Recorder,
}

impl Recorder {
    /// The transactions that write or lock something, or that were begun by BEGIN and may write. The newest one comes
    /// first, and those that are open are among them. The last 10,000 are kept, or fewer if they are large.
    pub fn transactions(&self, limit: usize) -> Vec<Transaction> {
        self.newest(limit, true)
    }

    /// All other transactions: health checks, pages, reads on their own. They are kept apart, because there are many of
    /// them. The newest one comes first. The last 1,000 are kept.
    pub fn others(&self, limit: usize) -> Vec<Transaction> {
        self.newest(limit, false)
    }

    /// Both together, the newest one first.
    pub fn all(&self, limit: usize) -> Vec<Transaction> {
        let mut newest = self.numbered(limit, true);
        newest.extend(self.numbered(limit, false));
        newest.values().rev().take(limit).map(|transaction| transaction.read()).collect()
    }

    /// The number of the newest transaction; 0 before the first one.
    pub fn newest_number(&self) -> u64 {
        self.all(1).first().map_or(0, |transaction| transaction.number)
    }

    /// All that began after the transaction with this number, as far as they are still known. The newest one comes first.
    pub fn since(&self, number: u64) -> Vec<Transaction> {
        let mut newer = self.all(usize::MAX);
        newer.retain(|transaction| transaction.number > number);
        newer
    }

    /// The transaction with this number, if it is still known.
    pub fn transaction(&self, number: u64) -> Option<Transaction> {
        let open = self.tapes().into_iter().find_map(|tape| {
            let tape = tape.lock();
            tape.open_transaction().filter(|open| open.number == number).cloned()
        });
        let known = open.or_else(|| self.0.archive.find(number).map(Arc::unwrap_or_clone));
        known.map(|transaction| transaction.read())
    }

    /// A number that changes whenever something has happened on the wire.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.0.archive.news.subscribe()
    }

    pub(crate) fn run_tape(&self, replica: Arc<str>) -> RunningTape {
        let tape = Arc::new(Mutex::new(Tape::new(Arc::clone(&self.0.archive), replica)));
        let id = self.0.next_tape.fetch_add(1, Ordering::Relaxed);
        self.0.tapes.lock().insert(id, Arc::clone(&tape));
        RunningTape { tape, id, recorder: self.clone() }
    }

    /// Waits until a statement is sent. Returns at once if one was sent since the last call.
    pub(crate) async fn statement_is_sent(&self) {
        self.0.archive.statement_sent.notified().await;
    }

    /// The statements that PostgreSQL is working on.
    pub(crate) fn in_flight(&self) -> Vec<InFlight> {
        self.tapes().iter().filter_map(|tape| tape.lock().in_flight()).collect()
    }

    /// The last statement of this server process's open transaction that may have taken a lock.
    pub(crate) fn locking_statement(&self, backend_pid: i32) -> Option<String> {
        let tapes = self.tapes();
        let tape = tapes.iter().map(|tape| tape.lock()).find(|tape| tape.backend_pid() == backend_pid)?;
        tape.open_transaction()?.locking_statement().map(str::to_owned)
    }

    /// Notes who blocks a statement, if it is still in flight.
    pub(crate) fn note_blocker(&self, waiting: InFlight, blocker: Option<Blocker>, now: Instant) {
        for tape in self.tapes() {
            let mut tape = tape.lock();
            if tape.in_flight() == Some(waiting)
                && let Some(statement) = tape.statement_in_flight(waiting)
            {
                statement.note_blocker(blocker, now);
                self.0.archive.tell();
                return;
            }
        }
    }

    fn newest(&self, limit: usize, that_matter: bool) -> Vec<Transaction> {
        let newest = self.numbered(limit, that_matter);
        newest.values().rev().take(limit).map(|transaction| transaction.read()).collect()
    }

    /// At least the newest `limit` of them, by number.
    fn numbered(&self, limit: usize, that_matter: bool) -> BTreeMap<u64, Arc<RecordedTransaction>> {
        // The open ones are looked at first: one that ends meanwhile is then found twice, and not missed.
        let mut newest = BTreeMap::new();
        for tape in self.tapes() {
            let open = tape.lock().open_transaction().filter(|open| open.matters() == that_matter).cloned();
            newest.extend(open.map(|open| (open.number, Arc::new(open))));
        }
        let ended = self.0.archive.newest(limit, that_matter);
        newest.extend(ended.into_iter().map(|ended| (ended.number, ended)));
        newest
    }

    fn tapes(&self) -> Vec<Arc<Mutex<Tape>>> {
        self.0.tapes.lock().values().cloned().collect()
    }
}

impl Drop for RunningTape {
    fn drop(&mut self) {
        self.recorder.0.tapes.lock().remove(&self.id);
        self.tape.lock().close(Instant::now());
    }
}

impl InFlight {
    /// Whether it has been in flight for this time.
    pub(crate) fn is_older_than(&self, time: Duration) -> bool {
        self.since.elapsed() >= time
    }
}
