//! One connection: it finds a replica that accepts, hands bytes on in both directions, and ends so that the client
//! knows where it stands.
//!
//! A conversation with a replica can end in these ways. Each line says what the client gets:
//!
//! - The replica dies, or says nothing within its limit, while a request is in flight: 503, outcome unknown.
//! - The replica dies in the middle of an answer: the connection is closed, and the answer is shorter than its
//!   Content-Length says.
//! - The replica closes, is replaced or is found frozen while nothing is under way: nothing. The client's next
//!   request goes to another replica. That request can't have been sent before, because its bytes are still in the
//!   gateway. The same happens when the replica says something that nobody has asked for.
//! - The replica closes at the very moment at which a request is handed on: 503, outcome unknown. The gateway can't
//!   see whether the replica read the request.
//! - The replica answers early (413) and closes while the client still sends: the answer, and then the end of the
//!   connection. The answer says `Connection: close`, and the gateway adds nothing to it.
//! - The head of a request takes too long, is too long, or can't be read: the refusal of that request, once all
//!   requests before it are answered. At most the beginning of its head has reached a replica.
//! - The client pipelines requests (it sends further ones before it has the answers): the answers that came, then 503
//!   for the first request without an answer.
//! - The client has finished sending (half-close): it may still get its answer. The replica is told, and decides. The
//!   gateway can't tell such a client from one that has gone, and it needn't. A reset ends both sides.
//!
//! Nobody else can get what is written here: each client has its connections to itself, on both sides.

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

/// So many replicas in a row may accept the connection for a request and close it. Then the client is sent away.
const MOST_IN_VAIN: usize = 3;

/// Serves a client until its connection ends, or until the gateway is closed and nothing is under way.
pub(super) async fn serve(
    mut client: TcpStream,
    turn: usize,
    turns: &Turns,
    limits: &Limits,
    closed: &CancellationToken,
) {
    // Small answers leave at once. They don't wait for more bytes to fill a packet.
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
        // Close the replica's side first, because the client may take its time. The replica hears of the end, and
        // drops the work that it still does.
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
    // Wait a moment for a request: a client that gets an answer before it has asked may not understand it.
    let _ = timeout(limits.linger, client.readable()).await;
    tell(client, OwnAnswer::NoReplica, limits).await;
}

/// How a conversation with a replica ended.
enum End {
    ClientGone,
    /// A request was in flight, and its answer had not begun.
    Unanswered,
    /// A request was refused and not handed on. Nothing else was under way.
    Refused(OwnAnswer),
    /// Nothing was under way.
    BetweenRequests,
    /// A message was not complete, or the connection had its last answer.
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
            // The order matters: when the replica has ended, a request that comes after that is not handed on any more.
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

    /// Returns when the replica's side has ended, or when the replica has given the last answer that is asked of it.
    /// An error comes from the client's side.
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

    /// Returns when the replica has lost its turn and owes no answer. When it owes one, this function waits for ever:
    /// the replica may still give that answer.
    async fn retire(&self, retired: &CancellationToken) {
        retired.cancelled().await;
        if !self.conversation.lock().is_between_requests() {
            pending().await
        }
    }

    /// Returns when the next request is refused and all requests before it are answered. An error comes from the
    /// client's side. A client that has finished sending has not gone: it may still wait for its answer.
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
                // The replica has closed. The other direction sees that too, after the replica's last bytes.
                return pending().await;
            }
            if count < bytes.len() {
                return pending().await;
            }
        }
        let _ = replica.shutdown().await;
        pending().await
    }

    /// Returns when nothing has moved for as long as the limits allow.
    async fn wait_too_long(&self) {
        loop {
            let Some(deadline) = self.conversation.lock().look(self.limits) else { return };
            tokio::select! {
                () = sleep_until(deadline) => {}
                () = self.deadline_is_earlier.notified() => {}
            }
        }
    }

    /// Returns how many of the client's bytes to hand on, and whether a refusal is due instead.
    fn hear_client(&self, bytes: &[u8]) -> (usize, bool) {
        let mut conversation = self.conversation.lock();
        let count = conversation.hear_client(bytes);
        if conversation.is_look_too_late(self.limits) {
            self.deadline_is_earlier.notify_one();
        }
        (count, conversation.due_refusal().is_some())
    }
}
