//! Holds every statement of a line until somebody lets it pass, and says what PostgreSQL answers to each. What a client
//! sends beside statements (pings, cleaning a connection between two users) passes at once. A statement that a client
//! prepares first is held before that: PostgreSQL locks its tables already then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flash_sale_core::database::BETWEEN_TWO_USERS;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::protocol::sql::Prepared;

/// What happens at a turnstile.
#[derive(Debug)]
pub enum Passage {
    /// A statement waits.
    Waiting(WaitingStatement),
    /// PostgreSQL has answered a statement that has passed.
    Answered(AnsweredStatement),
    /// A connection has ended.
    Ended(u64),
}

/// A statement that waits at a turnstile. When this value is dropped, the statement passes.
#[derive(Debug)]
pub struct WaitingStatement {
    /// The number of its connection. No other connection of this process has this number.
    pub connection: u64,
    /// The process id of the connection's server process. It is 0 where the wire doesn't know it.
    pub backend_pid: i32,
    /// The SQL.
    pub sql: Arc<str>,
    /// Whether it is about to be prepared. Then it is carried out afterwards.
    pub is_preparing: bool,
    ticket: oneshot::Sender<Ticket>,
}

/// What PostgreSQL has answered to a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredStatement {
    /// The number of the connection.
    pub connection: u64,
    /// Whether a transaction is open on the connection now. One that has failed counts as open until its ROLLBACK.
    pub is_in_transaction: bool,
    /// The SQLSTATE, if the statement failed.
    pub error: Option<String>,
}

/// What becomes of a statement that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ticket {
    /// PostgreSQL gets it.
    Pass,
    /// PostgreSQL prepares it. It waits once more before it is carried out.
    Prepare,
    /// PostgreSQL gets it. Instead of the answer, the client gets the end of its connection.
    LoseAnswer,
    /// PostgreSQL doesn't get it, and the connection ends on both sides.
    Cut,
}

/// A statement that was let pass when it was prepared, and is not carried out yet.
pub(super) struct LetGo {
    /// The SQL.
    pub(super) text: String,
    /// What becomes of it.
    pub(super) ticket: Ticket,
    /// What PostgreSQL said of the transaction after it had prepared the statement. `None`: it has not said it yet.
    pub(super) status: Option<u8>,
}

type OnPassage = Box<dyn Fn(Passage) + Send>;

/// The turnstile of a line. A copy of this value is the same turnstile.
#[derive(Clone, Default)]
pub struct Turnstile(Arc<Inner>);

#[derive(Default)]
struct Inner {
    is_closed: AtomicBool,
    listener: Mutex<Option<OnPassage>>,
}

impl Turnstile {
    /// From now on, every statement waits, and `listener` is told what happens.
    pub fn close(&self, listener: impl Fn(Passage) + Send + 'static) {
        *self.0.listener.lock() = Some(Box::new(listener));
        self.0.is_closed.store(true, Ordering::SeqCst);
    }

    /// From now on, statements pass at once, and nobody is told. Statements that wait go on waiting.
    pub fn open(&self) {
        self.0.is_closed.store(false, Ordering::SeqCst);
        self.0.listener.lock().take();
    }

    /// Whether statements wait.
    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed.load(Ordering::SeqCst)
    }

    /// Waits until this statement may pass. `None`: it passes unnoticed.
    pub(super) async fn wait(
        &self,
        connection: u64,
        backend_pid: i32,
        prepared: &Prepared,
        is_preparing: bool,
    ) -> Option<Ticket> {
        if !self.is_closed() || prepared.text == BETWEEN_TWO_USERS {
            return None;
        }
        let (ticket, decided) = oneshot::channel();
        let sql = prepared.text.as_str().into();
        self.tell(Passage::Waiting(WaitingStatement { connection, backend_pid, sql, is_preparing, ticket }));
        Some(decided.await.unwrap_or(Ticket::Pass))
    }

    /// Says what has happened, if anybody listens.
    pub(super) fn tell(&self, passage: Passage) {
        if let Some(listener) = &*self.0.listener.lock() {
            listener(passage);
        }
    }
}

impl WaitingStatement {
    /// Lets it pass.
    pub fn pass(self) {
        let _ = self.ticket.send(Ticket::Pass);
    }

    /// Lets PostgreSQL prepare it. It waits at the turnstile once more before it is carried out.
    pub fn prepare(self) {
        let _ = self.ticket.send(if self.is_preparing { Ticket::Prepare } else { Ticket::Pass });
    }

    /// Lets it pass. PostgreSQL carries it out, and the client never learns it: its connection ends.
    pub fn lose_answer(self) {
        let _ = self.ticket.send(Ticket::LoseAnswer);
    }

    /// Ends the connection on both sides. PostgreSQL never gets the statement.
    pub fn cut(self) {
        let _ = self.ticket.send(Ticket::Cut);
    }
}
