//! One actor of a play: its request, and the statements that the request has sent.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use flash_sale_wiretap::line::WaitingStatement;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::act::Reply;

/// One actor of a play.
#[derive(Default)]
pub(crate) struct Actor {
    /// Whether its request was sent.
    pub is_sent: bool,
    pub reply: Option<Reply>,
    /// Sends the request and waits for the answer.
    pub request: Option<JoinHandle<()>>,
    /// Tells its client to leave, if that can be told.
    pub leave: Option<oneshot::Sender<()>>,
    /// The statements that wait to be let go on, in the order in which they came.
    pub waiting: VecDeque<WaitingStatement>,
    /// The statements that PostgreSQL works on.
    pub in_flight: Vec<InFlight>,
    /// The connections on which a transaction is open, with their server processes.
    pub open: BTreeSet<(u64, i32)>,
    /// How many steps the other actors had made when this one last began an attempt. `None`: it has begun none, or its
    /// attempt has succeeded.
    pub attempt_began_at: Option<usize>,
    /// It does nothing, and waits for no lock. It is no longer waited for.
    pub is_given_up: bool,
}

/// A statement that PostgreSQL works on.
pub(crate) struct InFlight {
    pub connection: u64,
    pub backend_pid: i32,
    /// The index of its step.
    pub step: usize,
    pub sql: Arc<str>,
    /// Whether it is stopped inside.
    pub is_stopped: bool,
    /// Since when it was seen waiting for another's lock.
    pub blocked_since: Option<Instant>,
}

impl Actor {
    /// Whether its request was answered, and nothing of it goes on.
    pub fn is_done(&self) -> bool {
        self.reply.is_some() && self.waiting.is_empty() && self.in_flight.is_empty() && self.open.is_empty()
    }

    /// Lets each ROLLBACK pass that comes after the end of its transaction. A replica sends one when a client has left
    /// during COMMIT. Nobody knows when it comes, and it changes nothing.
    pub fn pass_empty_rollbacks(&mut self) {
        while let Some(place) = self.waiting.iter().position(|statement| {
            statement.sql.eq_ignore_ascii_case("rollback")
                && !self.is_busy(statement.connection)
                && !self.open.iter().any(|(connection, _)| *connection == statement.connection)
        }) {
            self.waiting.remove(place).into_iter().for_each(WaitingStatement::pass);
        }
    }

    /// Whether PostgreSQL works on a statement of this connection.
    fn is_busy(&self, connection: u64) -> bool {
        self.in_flight.iter().any(|flight| flight.connection == connection)
    }

    /// Whether it does something in the shop: no statement of it waits or is in flight, and it is not done.
    pub fn is_in_the_shop(&self) -> bool {
        self.is_sent
            && !self.is_given_up
            && self.waiting.is_empty()
            && self.in_flight.is_empty()
            && !self.is_done()
    }

    /// The statement that goes on when this actor is chosen: the rest of one that is stopped, or the next one.
    pub fn next_sql(&self) -> Option<(Arc<str>, bool)> {
        if let Some(stopped) = self.in_flight.iter().find(|flight| flight.is_stopped) {
            return Some((Arc::clone(&stopped.sql), true));
        }
        // PostgreSQL works on one statement of a connection after the other. The next one has to wait for its turn.
        let next = self.waiting.front().filter(|statement| !self.is_busy(statement.connection))?;
        Some((Arc::clone(&next.sql), false))
    }

    /// Whether it has begun an attempt, has failed, and is about to begin again although no other actor has made a step
    /// since.
    pub fn repeats_itself(&self, steps_of_others: usize) -> bool {
        self.attempt_began_at == Some(steps_of_others)
            && self.waiting.front().is_some_and(|statement| begins(&statement.sql))
    }
}

/// Whether this begins a transaction.
pub(crate) fn begins(sql: &str) -> bool {
    let word = sql.split([' ', ';']).next().unwrap_or_default();
    word.eq_ignore_ascii_case("begin") || word.eq_ignore_ascii_case("start")
}
