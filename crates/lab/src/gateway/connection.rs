//! One connection: finds a replica that accepts it, hands bytes on both ways, and ends so that the client knows
//! where it stands.
//!
//! The cases at the end of a conversation, and what the client gets:
//!
//! - The replica dies, or says nothing within its limit, with a request in flight: 503, outcome unknown. Also
//!   when it had closed an idle connection at the moment at which the client sent on it: whether it still read
//!   the request can't be seen from here.
//! - It dies in the middle of an answer: the connection is closed, and the answer is short of its Content-Length.
//! - It answers early (413) and closes while the client still sends: the answer, then the end. It says
//!   `Connection: close`, and nothing is added to it.
//! - A client that pipelines requests gets the answers that came, then the end; 503 only for what it sent after
//!   the last complete answer.
//! - A client that has finished sending (half-close) may still get its answer: the replica is told, and decides.
//!   One that has gone is not told apart from it, nor need it be. A reset ends both sides.
//!
//! What is written here can reach nobody else: one client, one connection, and it is closed afterwards.

use std::future::pending;
use std::io;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::conversation::Conversation;
use super::own_answer::{OwnAnswer, take_leave, tell};
use super::turn::Turns;
use super::{BUFFER_BYTES, Limits};

pub(super) async fn serve(mut client: TcpStream, turn: usize, turns: &Turns, limits: &Limits) {
    let Some(mut replica) = turns.connect(turn, limits.connect).await else {
        let _ = timeout(limits.linger, client.readable()).await;
        return tell(client, OwnAnswer::NoReplica, limits).await;
    };
    // Small answers leave at once, rather than wait for more bytes to fill a packet.
    let _ = client.set_nodelay(true);
    let _ = replica.set_nodelay(true);

    let relay = Relay::new(*limits);
    let end = relay.run(&mut client, &mut replica).await;
    // The replica hears of the end before the client takes its time: it drops what it still works on.
    drop(replica);
    match end {
        End::ClientGone => {}
        End::Silence => take_leave(client, limits).await,
        End::Answer(answer) => tell(client, answer, limits).await,
    }
}

/// How a conversation ended.
enum End {
    ClientGone,
    /// With nothing to say.
    Silence,
    Answer(OwnAnswer),
}

struct Relay {
    conversation: Mutex<Conversation>,
    /// From here on, an earlier deadline may hold.
    asked: Notify,
    limits: Limits,
}

impl Relay {
    fn new(limits: Limits) -> Self {
        Self { conversation: Mutex::new(Conversation::new()), asked: Notify::new(), limits }
    }

    async fn run(&self, client: &mut TcpStream, replica: &mut TcpStream) -> End {
        let client_gone = {
            let (from_client, to_client) = client.split();
            let (from_replica, to_replica) = replica.split();
            tokio::select! {
                // Answers first: a request that comes after the replica's end is then known not to be handed on.
                biased;
                gone = self.hand_on_answers(from_replica, to_client) => gone.is_err(),
                _ = self.hand_on_requests(from_client, to_replica) => true,
                () = self.wait_too_long() => false,
            }
        };
        let conversation = self.conversation.lock().unwrap_or_else(PoisonError::into_inner);
        if client_gone {
            End::ClientGone
        } else if conversation.is_unanswered() {
            End::Answer(OwnAnswer::OutcomeUnknown)
        } else if conversation.is_between_requests() && matches!(client.try_read(&mut [0]), Ok(1)) {
            End::Answer(OwnAnswer::NotHandedOn)
        } else {
            End::Silence
        }
    }

    /// Returns when the replica's side has ended; an error is the client's.
    async fn hand_on_answers(&self, mut replica: ReadHalf<'_>, mut client: WriteHalf<'_>) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let bytes = match replica.read(&mut buffer).await {
                Ok(0) | Err(_) => return Ok(()),
                Ok(count) => &buffer[..count],
            };
            self.conversation.lock().unwrap_or_else(PoisonError::into_inner).hear_replica(bytes);
            timeout(self.limits.write, client.write_all(bytes)).await??;
        }
    }

    /// Returns when the client is gone. Done is not gone: it may still wait for its answer.
    async fn hand_on_requests(&self, mut client: ReadHalf<'_>, mut replica: WriteHalf<'_>) -> io::Error {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let bytes = match client.read(&mut buffer).await {
                Ok(0) => break,
                Ok(count) => &buffer[..count],
                Err(error) => return error,
            };
            self.conversation.lock().unwrap_or_else(PoisonError::into_inner).hear_client(bytes);
            self.asked.notify_one();
            if replica.write_all(bytes).await.is_err() {
                // It has closed: the other direction sees that too, after its last bytes.
                return pending().await;
            }
        }
        let _ = replica.shutdown().await;
        pending().await
    }

    /// Returns when nothing has moved for as long as it may.
    async fn wait_too_long(&self) {
        loop {
            let conversation = || self.conversation.lock().unwrap_or_else(PoisonError::into_inner);
            let deadline = conversation().deadline(self.limits.answer, self.limits.idle);
            if deadline <= Instant::now() {
                return;
            }
            tokio::select! {
                () = sleep_until(deadline) => {}
                () = self.asked.notified() => {}
            }
        }
    }
}
