//! Where a line stops until somebody has decided.

use std::sync::Arc;

use flash_sale_core::database::BETWEEN_TWO_USERS;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

/// Which statement is held.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    /// The one with this number, from 1: counted on the connection of the first one that comes.
    Number(usize),
    /// The first one that holds these words.
    Saying(&'static str),
}

/// Which part of an exchange is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The statement: PostgreSQL does not get it.
    Request,
    /// Its answer: PostgreSQL has carried it out, and the client does not know.
    Answer,
}

/// Somebody waits for a statement. Without this value it is handed on.
pub struct Hold {
    reached: oneshot::Receiver<String>,
    decision: watch::Sender<Decision>,
    holds: Holds,
}

/// What is to be done with what is held.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    None,
    Pass,
    Cut,
}

/// The one hold that is waited for, if any.
#[derive(Clone, Default)]
pub struct Holds(Arc<Mutex<Option<Armed>>>);

struct Armed {
    which: Which,
    at: At,
    /// The connection on which statements are counted, and how many there were.
    counted: Option<(u64, usize)>,
    gate: Gate,
}

/// Where a connection waits for the decision.
pub struct Gate {
    reached: oneshot::Sender<String>,
    decision: watch::Receiver<Decision>,
}

impl Hold {
    /// Waits until it is held, and returns the statement; `None` when the connection was given back before.
    pub async fn reached(&mut self) -> Option<String> {
        (&mut self.reached).await.ok()
    }

    /// Hands it on.
    pub fn pass(self) {
        self.decision.send_replace(Decision::Pass);
    }

    /// Ends the connection, towards both sides. What is held never arrives.
    pub fn cut(self) {
        self.decision.send_replace(Decision::Cut);
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

    /// Compares a statement of this connection with what is waited for. If it is that: where it is held, and the gate.
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
    /// The number of this statement, if it is counted.
    fn count(&mut self, connection: u64, statement: &str) -> Option<usize> {
        let number = match self.counted {
            Some((counted, count)) => (counted == connection).then_some(count + 1)?,
            // Of somebody who has just given the connection back.
            None => (statement != BETWEEN_TWO_USERS).then_some(1)?,
        };
        self.counted = Some((connection, number));
        Some(number)
    }
}

impl Gate {
    /// Says that the statement is held, and waits for the decision: whether it is to be handed on.
    pub async fn wait(self, statement: String) -> bool {
        let Self { reached, mut decision } = self;
        let _ = reached.send(statement);
        // Without somebody who decides any more, it passes.
        let decided = decision.wait_for(|decision| *decision != Decision::None).await;
        decided.map_or(true, |decision| *decision == Decision::Pass)
    }
}
