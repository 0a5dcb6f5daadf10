//! Stops a line at a statement until somebody decides how it goes on.

use std::sync::Arc;

use flash_sale_core::database::BETWEEN_TWO_USERS;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

/// Which statement is held.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    /// The statement with this number, from 1. Statements are counted on one connection: the one on which the
    /// first of them comes.
    Number(usize),
    /// The first statement that holds these words.
    Saying(&'static str),
}

/// Which part of an exchange is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The statement is held: PostgreSQL does not get it.
    Request,
    /// The answer is held: PostgreSQL has carried the statement out, and the client does not know.
    Answer,
}

/// A wait for a statement. When this value is dropped, the statement is handed on.
pub struct Hold {
    reached: oneshot::Receiver<String>,
    decision: watch::Sender<Decision>,
    holds: Holds,
}

/// What to do with the statement or the answer that is held.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    None,
    Pass,
    Cut,
    Silence,
}

/// The one hold that is waited for, if there is one.
#[derive(Clone, Default)]
pub struct Holds(Arc<Mutex<Option<Armed>>>);

struct Armed {
    which: Which,
    at: At,
    /// The connection on which statements are counted, and how many there were.
    counted: Option<(u64, usize)>,
    gate: Gate,
}

/// The place where a connection waits for the decision.
pub struct Gate {
    reached: oneshot::Sender<String>,
    decision: watch::Receiver<Decision>,
}

impl Hold {
    /// Waits until the statement or its answer is held, and returns the statement. Returns `None` when the client gave
    /// its connection back before.
    pub async fn reached(&mut self) -> Option<String> {
        (&mut self.reached).await.ok()
    }

    /// Hands on what is held.
    pub fn pass(self) {
        self.decision.send_replace(Decision::Pass);
    }

    /// Ends the connection on both sides. What is held never arrives.
    pub fn cut(self) {
        self.decision.send_replace(Decision::Cut);
    }

    /// From now on, nothing arrives on either side, and neither side is told that the other one leaves. A machine that
    /// has lost its power leaves such a half-open connection.
    pub fn silence(self) {
        self.decision.send_replace(Decision::Silence);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.holds.0.lock().take();
    }
}

impl Holds {
    pub fn arm(&self, which: Which, at: At) -> Hold {
        let (reached, heard) = oneshot::channel();
        let (decision, decided) = watch::channel(Decision::None);
        let gate = Gate { reached, decision: decided };
        *self.0.lock() = Some(Armed { which, at, counted: None, gate });
        Hold { reached: heard, decision, holds: self.clone() }
    }

    /// Whether a statement is waited for.
    pub fn is_armed(&self) -> bool {
        self.0.lock().is_some()
    }

    /// Compares a statement of this connection with the one that is waited for. If it is the same, returns the part
    /// that is held, and the gate.
    pub fn meet(&self, connection: u64, statement: &str) -> Option<(At, Gate)> {
        let mut armed = self.0.lock();
        let waiting = armed.as_mut()?;
        let is_met = match waiting.which {
            Which::Saying(words) => statement.contains(words),
            Which::Number(number) => waiting.count(connection, statement)? == number,
        };
        let is_over = matches!(waiting.which, Which::Number(_)) && statement == BETWEEN_TWO_USERS;
        if !is_met && !is_over {
            return None;
        }
        armed.take().filter(|_| is_met).map(|armed| (armed.at, armed.gate))
    }
}

impl Armed {
    /// The number of this statement, if its connection is counted.
    fn count(&mut self, connection: u64, statement: &str) -> Option<usize> {
        let number = match self.counted {
            Some((counted, count)) => (counted == connection).then_some(count + 1)?,
            // This statement belongs to a user who has just given the connection back.
            None => (statement != BETWEEN_TWO_USERS).then_some(1)?,
        };
        self.counted = Some((connection, number));
        Some(number)
    }
}

impl Gate {
    /// Says that the statement is held, and waits for the decision.
    pub(super) async fn wait(self, statement: String) -> Decision {
        let Self { reached, mut decision } = self;
        let _ = reached.send(statement);
        // When nobody is left who could decide, it is handed on.
        let decided = decision.wait_for(|decision| *decision != Decision::None).await;
        decided.map_or(Decision::Pass, |decision| *decision)
    }
}
