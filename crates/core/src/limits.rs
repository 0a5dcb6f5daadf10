//! The bounds of settings that two programs check: a replica that uses them, and the lab that passes them on.

use std::time::Duration;

/// Of RACE_WINDOW_MS. A purchase waits for its payment within a transaction, and an idle transaction is ended
/// after [`crate::database::IDLE_IN_TRANSACTION_TIMEOUT`].
pub const LONGEST_RACE_WINDOW: Duration = Duration::from_secs(3);

/// Of RETRY_AFTER_MS. The checkout client gives up on an answer after 15 s, so a later retry would be no retry.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10);

// --- The gateway: it knows bytes and connections, nothing of what the shop does with them -------------------

/// For each replica that is tried: on one machine, one that lives accepts within a millisecond.
pub const GATEWAY_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// From the last byte that moved until a replica that owes an answer, or the rest of one, is given up. Above the
/// sum of what the shop itself waits for: a replica that lives always says something before.
pub const GATEWAY_ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// From the last byte that moved until a connection that nobody uses is closed. Above the 60 s for which a replica
/// keeps a connection open, so that the replica closes first: it knows whether a request is under way.
pub const GATEWAY_IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// For a client to take the next 8 KiB of its answer. One that doesn't read is let go.
pub const GATEWAY_WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client is listened to after its last answer. Closing with bytes unread would reset the connection,
/// and the answer might be lost on the way.
pub const GATEWAY_LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// Between two questions to a replica whether it answers. With the next one: a frozen replica is left out of the
/// gateway's turn after 1.25 s at the latest.
pub const HEALTH_INTERVAL: Duration = Duration::from_millis(250);

/// For the answer. /health waits for nothing, and comes within 50 ms.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);
