//! Sends two requests to one replica at the same time. Either both get to the database, or one of them waits inside the
//! replica for the other one, or is turned away there. The second case shows a mutex, a queue or a flag in the shop's
//! memory. The schedules can't show it, because each of their actors has a replica of its own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use flash_sale_wiretap::line::{Passage, WaitingStatement};
use tokio::time::timeout;

use crate::exploration::ExploreOptions;
use crate::piece::Inside;
use crate::play::drop_late_happenings;
use crate::stage::{Happening, Stage};

/// When only one request has got to where it writes, and nothing has happened for so long, the other one waits inside.
const QUIET: Duration = Duration::from_millis(200);
/// While a statement is in flight, PostgreSQL is asked so often whether it waits.
const LOOK: Duration = Duration::from_millis(1);
/// The longest time of the whole meeting.
const LIMIT: Duration = Duration::from_millis(600);
/// Afterwards, the requests may take so long to end.
const ENDING: Duration = Duration::from_secs(1);

/// Where two requests to one replica meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// Both get to the database. There, one may wait for the other.
    InTheDatabase,
    /// One gets to the database, and the other one waits inside the replica, or is answered there.
    InTheReplica,
    /// Neither of the two can be said: a request was answered before it wrote, or it took too long.
    Unclear,
}

/// A connection of the replica.
enum Phase {
    /// Its statement writes or commits. It is not let go on yet.
    Held(WaitingStatement),
    /// PostgreSQL works on a statement of this server process.
    InFlight(i32),
    /// PostgreSQL has answered its last statement. The number is that of the server process of an open transaction.
    Answered(Option<i32>),
}

#[derive(Default)]
struct Encounter {
    connections: BTreeMap<u64, Phase>,
    replies: usize,
    /// How often a connection was taken for a transaction, or for a statement without one.
    taken: usize,
    /// Afterwards, nothing is held.
    is_over: bool,
}

impl Stage {
    /// Sends the first two acts to the replica of the first actor, and says where they meet. Statements go on until one
    /// writes or commits. Afterwards, everything goes on to its end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meet_in_one_replica(&mut self, options: &ExploreOptions) -> anyhow::Result<Meeting> {
        let piece = self.piece(options).await?;
        self.plays += 1;
        drop_late_happenings(self);
        self.database.begin_anew(&piece).await?;
        let mut requests = Vec::new();
        for (actor, act) in piece.acts.iter().take(2).enumerate() {
            let request = self.asks[0].send(act, piece.product);
            let (tell, play) = (self.tell.clone(), self.plays);
            requests.push(tokio::spawn(async move {
                let reply = request.await;
                // When nobody hears it, the stage ends.
                let _ = tell.send(Happening::Replied { play, actor, reply });
            }));
        }
        let mut encounter = Encounter::default();
        let meeting = self.watch(&mut encounter).await;
        encounter.let_all_go_on();
        let ended = timeout(ENDING, self.until_all_is_over(&mut encounter, requests.len())).await;
        requests.iter().for_each(tokio::task::JoinHandle::abort);
        let left = encounter.open_transactions();
        if ended.is_err() && !left.is_empty() {
            self.database.end_sessions(&left).await?;
        }
        meeting
    }

    async fn watch(&mut self, encounter: &mut Encounter) -> anyhow::Result<Meeting> {
        let began = Instant::now();
        let mut news = Instant::now();
        while began.elapsed() < LIMIT {
            let is_answered_inside = encounter.has_answered_without_the_database();
            if encounter.replies > 0 && !is_answered_inside {
                break;
            }
            let (held, in_flight) = (encounter.held(), encounter.in_flight());
            if held > 1 {
                return Ok(Meeting::InTheDatabase);
            }
            if held == 1 && !in_flight.is_empty() && !self.database.who_waits(&in_flight).await?.is_empty() {
                return Ok(Meeting::InTheDatabase);
            }
            if held == 1 && in_flight.is_empty() && (is_answered_inside || news.elapsed() >= QUIET) {
                return Ok(Meeting::InTheReplica);
            }
            let pause = if in_flight.is_empty() { QUIET } else { LOOK };
            if let Ok(Some(happening)) = timeout(pause, self.happenings.recv()).await {
                encounter.take_in(happening, self.plays);
                news = Instant::now();
            }
        }
        Ok(Meeting::Unclear)
    }

    async fn until_all_is_over(&mut self, encounter: &mut Encounter, requests: usize) {
        while encounter.replies < requests || !encounter.open_transactions().is_empty() {
            let Some(happening) = self.happenings.recv().await else { return };
            encounter.take_in(happening, self.plays);
        }
    }
}

impl Encounter {
    fn take_in(&mut self, happening: Happening, this_play: u64) {
        match happening {
            Happening::Replied { play, .. } => self.replies += usize::from(play == this_play),
            Happening::AtTurnstile(_, Passage::Waiting(statement)) => {
                let (connection, pid) = (statement.connection, statement.backend_pid);
                let known = self.connections.get(&connection);
                self.taken += usize::from(matches!(known, None | Some(Phase::Answered(None))));
                let phase = if self.is_over || !writes_or_commits(&statement.sql) {
                    statement.pass();
                    Phase::InFlight(pid)
                } else {
                    Phase::Held(statement)
                };
                self.connections.insert(connection, phase);
            }
            Happening::AtTurnstile(_, Passage::Answered(answered)) => {
                let pid = match self.connections.get(&answered.connection) {
                    Some(Phase::InFlight(pid)) => *pid,
                    _ => return,
                };
                let open = answered.is_in_transaction.then_some(pid);
                self.connections.insert(answered.connection, Phase::Answered(open));
            }
            Happening::AtTurnstile(_, Passage::Ended(connection)) => {
                self.connections.remove(&connection);
            }
        }
    }

    /// Whether one request was answered, and only the other one has ever used a connection: it is still in its
    /// transaction.
    fn has_answered_without_the_database(&self) -> bool {
        self.replies == 1 && self.taken == 1 && !self.open_transactions().is_empty()
    }

    fn held(&self) -> usize {
        self.connections.values().filter(|phase| matches!(phase, Phase::Held(_))).count()
    }

    fn in_flight(&self) -> Vec<i32> {
        let pid = |phase: &Phase| if let Phase::InFlight(pid) = phase { Some(*pid) } else { None };
        self.connections.values().filter_map(pid).collect()
    }

    fn open_transactions(&self) -> Vec<i32> {
        let pid = |phase: &Phase| match phase {
            Phase::Held(statement) => Some(statement.backend_pid),
            Phase::InFlight(pid) => Some(*pid),
            Phase::Answered(open) => *open,
        };
        self.connections.values().filter_map(pid).collect()
    }

    fn let_all_go_on(&mut self) {
        self.is_over = true;
        for phase in self.connections.values_mut() {
            if let Phase::Held(statement) = phase {
                let pid = statement.backend_pid;
                if let Phase::Held(statement) = std::mem::replace(phase, Phase::InFlight(pid)) {
                    statement.pass();
                }
            }
        }
    }
}

fn writes_or_commits(sql: &str) -> bool {
    let first = sql.split([' ', ';']).next().unwrap_or_default();
    Inside::Always.stops(sql) || first.eq_ignore_ascii_case("commit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encounter(phases: Vec<Phase>, taken: usize, replies: usize) -> Encounter {
        Encounter { connections: (0..).zip(phases).collect(), replies, taken, is_over: false }
    }

    #[test]
    fn a_request_was_answered_inside_the_replica_only_if_it_never_had_a_connection() {
        let is_inside = |encounter: Encounter| encounter.has_answered_without_the_database();

        assert!(is_inside(encounter(vec![Phase::InFlight(7)], 1, 1)));
        assert!(is_inside(encounter(vec![Phase::Answered(Some(7))], 1, 1)));

        assert!(!is_inside(encounter(vec![Phase::InFlight(7)], 1, 0)), "nobody was answered");
        let refused = vec![Phase::InFlight(7), Phase::Answered(None)];
        assert!(!is_inside(encounter(refused, 2, 1)), "the database has refused it");
        let after_it = encounter(vec![Phase::InFlight(7)], 2, 1);
        assert!(!is_inside(after_it), "the other one may have had the same connection before");
        assert!(!is_inside(encounter(vec![Phase::Answered(None)], 1, 1)), "that was its own connection");
    }
}
