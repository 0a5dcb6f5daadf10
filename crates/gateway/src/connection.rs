//! One connection: finds a replica that accepts it, hands bytes on both ways, and ends so that the client knows
//! where it stands.
//!
//! The ends of a conversation with a replica, and what the client gets:
//!
//! - It dies, or says nothing within its limit, with a request in flight: 503, outcome unknown.
//! - It dies in the middle of an answer: the connection is closed, and the answer is short of its Content-Length.
//! - It closes, or is replaced or found frozen, while nothing is under way: nothing. The client's next request
//!   goes to another replica. It can't have been sent before: its bytes are still ours. So too when it says something
//!   that nobody has asked for.
//! - It had closed at the very moment at which a request was handed on: 503, outcome unknown. Whether it read the
//!   request can't be seen from here.
//! - It answers early (413) and closes while the client still sends: the answer, then the end. It says
//!   `Connection: close`, and nothing is added to it.
//! - A request whose head takes too long, is too long, or can't be read: its refusal, once all before it is answered.
//!   Nothing of it has reached a replica but, at most, the beginning of a head.
//! - A client that pipelines requests: the answers that came, then 503 for the first of the others.
//! - A client that has finished sending (half-close) may still get its answer: the replica is told, and decides.
//!   One that has gone is not told apart from it, nor need it be. A reset ends both sides.
//!
//! What is written here can reach nobody else: a client has its connections to itself, on both sides.

use std::future::pending;
use std::io;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::time::{sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::conversation::Conversation;
use super::limits::{BUFFER_BYTES, Limits};
use super::own_answer::{OwnAnswer, take_leave, tell};
use super::turn::Turns;

/// Replicas in a row that accept a request's connection and close it, before the client is sent away.
const MOST_IN_VAIN: usize = 3;

/// Serves a client to its end, or until the gateway is closed and nothing is under way.
pub(super) async fn serve(
    mut client: TcpStream,
    turn: usize,
    turns: &Turns,
    limits: &Limits,
    closed: &CancellationToken,
) {
    // Small answers leave at once, rather than wait for more bytes to fill a packet.
    let _ = client.set_nodelay(true);
    let mut in_vain = 0;
    while in_vain < MOST_IN_VAIN {
        let Some((mut replica, retired)) = turns.connect(turn, limits.connect).await else { break };
        let _ = replica.set_nodelay(true);
        let relay = Relay {
            conversation: Mutex::new(Conversation::new()),
            deadline_is_earlier: Notify::new(),
            fewer_unanswered: Notify::new(),
            limits,
        };
        let end = relay.run(&mut client, &mut replica, &retired).await;
        // The replica hears of the end before the client takes its time: it drops what it still works on.
        drop(replica);
        match end {
            End::ClientGone => return,
            End::Silence => return take_leave(client, limits).await,
            End::Unanswered => return tell(client, OwnAnswer::OutcomeUnknown, limits).await,
            End::Refused(refusal) => return tell(client, refusal, limits).await,
            End::BetweenRequests => {}
        }
        in_vain = if relay.conversation.lock().has_begun() { 0 } else { in_vain + 1 };
        // The replica's own limit may have passed already.
        let idle_until = relay.conversation.lock().last_moved() + limits.idle;
        let mut first = [0];
        let wants_more = tokio::select! {
            peeked = timeout_at(idle_until, client.peek(&mut first)) => matches!(peeked, Ok(Ok(1))),
            () = closed.cancelled() => false,
        };
        if !wants_more {
            return take_leave(client, limits).await;
        }
    }
    // Whoever is answered before it asked may not understand.
    let _ = timeout(limits.linger, client.readable()).await;
    tell(client, OwnAnswer::NoReplica, limits).await;
}

/// How a conversation with a replica ended.
enum End {
    ClientGone,
    /// With a request in flight, before its answer.
    Unanswered,
    /// With a request that is not handed on, and nothing else under way.
    Refused(OwnAnswer),
    /// With nothing under way.
    BetweenRequests,
    /// In the middle of something, or after the last word.
    Silence,
}

struct Relay<'a> {
    conversation: Mutex<Conversation>,
    deadline_is_earlier: Notify,
    fewer_unanswered: Notify,
    limits: &'a Limits,
}

impl Relay<'_> {
    async fn run(&self, client: &mut TcpStream, replica: &mut TcpStream, retired: &CancellationToken) -> End {
        let (from_client, to_client) = client.split();
        let (from_replica, to_replica) = replica.split();
        tokio::select! {
            // In this order, a request that comes after the replica's end is not handed on any more.
            biased;
            ended = self.hand_on_answers(from_replica, to_client, retired) => if ended.is_err() {
                return End::ClientGone;
            },
            () = self.retire(retired) => {}
            sent = self.hand_on_requests(from_client, to_replica) => if sent.is_err() {
                return End::ClientGone;
            },
            () = self.wait_too_long() => {}
        }
        let conversation = self.conversation.lock();
        if let Some(refusal) = conversation.due_refusal() {
            End::Refused(refusal)
        } else if conversation.is_unanswered() {
            End::Unanswered
        } else if conversation.is_between_requests() {
            End::BetweenRequests
        } else {
            End::Silence
        }
    }

    /// Returns when the replica's side has ended, or has given the last answer that is asked of it; an error is the
    /// client's.
    async fn hand_on_answers(
        &self,
        mut replica: ReadHalf<'_>,
        mut client: WriteHalf<'_>,
        retired: &CancellationToken,
    ) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let bytes = match replica.read(&mut buffer).await {
                Ok(0) | Err(_) => return Ok(()),
                Ok(count) => &buffer[..count],
            };
            if !self.conversation.lock().hear_replica(bytes) {
                return Ok(());
            }
            timeout(self.limits.write, client.write_all(bytes)).await??;
            let conversation = self.conversation.lock();
            let is_retired = retired.is_cancelled() && conversation.is_between_requests();
            if is_retired || conversation.due_refusal().is_some() {
                return Ok(());
            }
            drop(conversation);
            self.fewer_unanswered.notify_one();
        }
    }

    /// Returns when the replica has no turn any more, unless it owes an answer: it may still give that one.
    async fn retire(&self, retired: &CancellationToken) {
        retired.cancelled().await;
        if !self.conversation.lock().is_between_requests() {
            pending().await
        }
    }

    /// Returns when the next request is refused and all before it are answered; an error is the client's. Done is not
    /// gone: it may still wait for its answer.
    async fn hand_on_requests(&self, mut client: ReadHalf<'_>, mut replica: WriteHalf<'_>) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            while self.conversation.lock().has_many_unanswered() {
                self.fewer_unanswered.notified().await;
            }
            let bytes = match client.read(&mut buffer).await? {
                0 => break,
                count => &buffer[..count],
            };
            let (count, is_due) = self.hear_client(bytes);
            if is_due {
                return Ok(());
            }
            if replica.write_all(&bytes[..count]).await.is_err() {
                // It has closed: the other direction sees that too, after its last bytes.
                return pending().await;
            }
            if count < bytes.len() {
                return pending().await;
            }
        }
        let _ = replica.shutdown().await;
        pending().await
    }

    /// Returns when nothing has moved for as long as it may.
    async fn wait_too_long(&self) {
        loop {
            let Some(deadline) = self.conversation.lock().look(self.limits) else { return };
            tokio::select! {
                () = sleep_until(deadline) => {}
                () = self.deadline_is_earlier.notified() => {}
            }
        }
    }

    /// How many of the client's bytes are to be handed on, and whether a refusal is due instead.
    fn hear_client(&self, bytes: &[u8]) -> (usize, bool) {
        let mut conversation = self.conversation.lock();
        let count = conversation.hear_client(bytes);
        if conversation.is_look_too_late(self.limits) {
            self.deadline_is_earlier.notify_one();
        }
        (count, conversation.due_refusal().is_some())
    }
}
