//! How long the gateway waits, and for what, and how many connections it has. The gateway knows bytes and connections. It knows nothing of what the
//! shop does with them.

use std::time::Duration;

use flash_sale_core::limits::{BUY_DEADLINE, KEEP_ALIVE, REQUEST_HEAD_TIMEOUT};
use flash_sale_testbed::open_files::{self, BESIDE_CONNECTIONS};

/// How long a replica may take to accept a connection. Each replica that is tried has this time. On one machine, a
/// replica that lives accepts within a millisecond.
pub const GATEWAY_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a replica may say nothing while it owes an answer, or the rest of one. Then it is given up. The time runs
/// from the replica's last byte, or from the last byte of a request's head. It is longer than all waits of the shop
/// itself together: a replica that lives always says something before.
pub const GATEWAY_ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take to send the head of a request, from its first byte. After that, the client gets a 408.
/// This holds for every request of a connection. A replica itself limits only the first head of a connection.
pub const GATEWAY_HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest head of a request, in bytes. A longer one gets a 431, or a 414 when its first line alone is longer.
/// nginx reads as much by default.
pub const LONGEST_HEAD: usize = 32 * 1024;
/// How long a connection that nobody uses stays open, from the last byte that moved. It is longer than the 60 s
/// for which a replica keeps a connection open, so that the replica closes first: the replica knows whether a
/// request is under way.
pub const GATEWAY_IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a client may take to read the next 8 KiB of its answer. A client that doesn't read is let go.
pub const GATEWAY_WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the gateway still reads from a client after its last answer. A connection that is closed with bytes unread
/// is reset, and the answer might be lost on the way.
pub const GATEWAY_LINGER_TIMEOUT: Duration = Duration::from_secs(1);
/// The size of each buffer. It is small, because a thousand idle connections hold two buffers each.
pub(super) const BUFFER_BYTES: usize = 8 * 1024;

const _: () = {
    assert!(BUY_DEADLINE.as_secs() < GATEWAY_ANSWER_TIMEOUT.as_secs());
    assert!(GATEWAY_HEAD_TIMEOUT.as_secs() < REQUEST_HEAD_TIMEOUT.as_secs());
    assert!(KEEP_ALIVE.as_secs() < GATEWAY_IDLE_TIMEOUT.as_secs());
};

/// The limits of one gateway. The defaults are the shop's own. Tests use shorter times.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a replica may take to accept a connection.
    pub connect: Duration,
    /// How long a replica that owes an answer may say nothing, from its last byte or from the last byte
    /// of a request's head.
    pub answer: Duration,
    /// How long a client may take to send the head of a request, from its first byte.
    pub head: Duration,
    /// How long a connection that nobody uses stays open.
    pub idle: Duration,
    /// How long a client may take to read the next 8 KiB.
    pub write: Duration,
    /// How long the gateway still reads from a client after its last answer.
    pub linger: Duration,
    /// How many connections are open at once. Further connections wait in the kernel's queue. That is better than to
    /// accept and drop them.
    pub connections: usize,
}

/// How many connections the gateway can keep open at once, when this process also opens so many other files. Each
/// needs two open files: one for our connection to the client, one for our connection to the replica.
pub fn most_connections(other_files: u64) -> usize {
    let left = open_files::allowed().saturating_sub(BESIDE_CONNECTIONS + other_files);
    (left / 2).max(1) as usize
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
            connections: most_connections(0),
        }
    }
}
