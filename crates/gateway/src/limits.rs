//! How long the gateway waits for what. It knows bytes and connections, and nothing of what the shop does with them.

use std::time::Duration;

use flash_sale_core::limits::{BUY_DEADLINE, KEEP_ALIVE, REQUEST_HEAD_TIMEOUT};

/// For each replica that is tried: on one machine, one that lives accepts within a millisecond.
pub const GATEWAY_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Until a replica that owes an answer, or the rest of one, is given up: from its last byte, or the last one of a
/// request's head. Above the sum of what the shop itself waits for: a replica that lives always says something before.
pub const GATEWAY_ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// For a client to send a request's head, from its first byte, whichever request of its connection it is: 408. A
/// replica itself limits only the first head of a connection.
pub const GATEWAY_HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest head of a request, in bytes: 431, or 414 when its first line alone is longer. As much as
/// nginx reads by default.
pub const LONGEST_HEAD: usize = 32 * 1024;
/// From the last byte that moved until a connection that nobody uses is closed. Above the 60 s for which a replica
/// keeps a connection open, so that the replica closes first: it knows whether a request is under way.
pub const GATEWAY_IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// For a client to take the next 8 KiB of its answer. One that doesn't read is let go.
pub const GATEWAY_WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client is listened to after its last answer. Closing with bytes unread would reset the connection,
/// and the answer might be lost on the way.
pub const GATEWAY_LINGER_TIMEOUT: Duration = Duration::from_secs(1);
/// Small: a thousand idle connections hold two each.
pub(super) const BUFFER_BYTES: usize = 8 * 1024;

const _: () = {
    assert!(BUY_DEADLINE.as_secs() < GATEWAY_ANSWER_TIMEOUT.as_secs());
    assert!(GATEWAY_HEAD_TIMEOUT.as_secs() < REQUEST_HEAD_TIMEOUT.as_secs());
    assert!(KEEP_ALIVE.as_secs() < GATEWAY_IDLE_TIMEOUT.as_secs());
};

/// The limits of one gateway. The defaults are the shop's own; tests have less time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For each replica to accept.
    pub connect: Duration,
    /// For a replica that owes an answer, from its last byte or the last one of a request's head.
    pub answer: Duration,
    /// For a client to send a request's head, from its first byte.
    pub head: Duration,
    /// For a connection that nobody uses.
    pub idle: Duration,
    /// For a client to take the next 8 KiB.
    pub write: Duration,
    /// For a client that was told the last word.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: GATEWAY_CONNECT_TIMEOUT,
            answer: GATEWAY_ANSWER_TIMEOUT,
            head: GATEWAY_HEAD_TIMEOUT,
            idle: GATEWAY_IDLE_TIMEOUT,
            write: GATEWAY_WRITE_TIMEOUT,
            linger: GATEWAY_LINGER_TIMEOUT,
        }
    }
}
