//! Every wait has a limit, and this is the one place that says which. Past a limit a client is told 503 with
//! `Retry-After`, and nothing of its request happens later. Also the bounds of settings that two programs
//! check.

use std::time::Duration;

// --- A replica and PostgreSQL, for each connection -----------------------------------------------------------

/// Longest wait for a connection, from the pool or a new one: making it is part of the wait.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for a lock that another transaction holds (`lock_timeout`).
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest run of one statement (`statement_timeout`).
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest pause of a transaction between two statements (`idle_in_transaction_session_timeout`).
pub const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(5);
/// How often PostgreSQL looks whether the replica is still there while it works or waits for it
/// (`client_connection_check_interval`, since PostgreSQL 14). A statement of a replica that has died is ended,
/// rather than carried out when its lock is free.
pub const CLIENT_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Longest wait for a connection that is given back, to end what was left open on it: longer than any statement that
/// nobody waits for any more. Then it is closed.
pub const RELEASE_TIMEOUT: Duration = Duration::from_secs(6);
/// Longest wait of `GET /ready` for the database's answer.
pub const READY_TIMEOUT: Duration = Duration::from_secs(1);

// --- A replica and its clients -------------------------------------------------------------------------------

/// Longest time from a connection's first byte to the whole head of its first request: 408. Above
/// the gateway's own limit (`GATEWAY_HEAD_TIMEOUT` in crates/gateway), so that clients of the gateway always hear of it from
/// the gateway, with a document.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(6);
/// Longest body of a request, in bytes: 413.
pub const LONGEST_BODY: usize = 64 * 1024;
/// Longest time from a request's head to the whole of its body: 408.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time from a whole request to its answer, whatever it waits for meanwhile. Then it is given up, and its
/// transaction taken back.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(8);
/// Longest wait of Buy Now's checkout client for one answer of the API: longer than any takes, so that it is
/// for a dead network.
pub const CHECKOUT_ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait of the checkout client for a connection.
pub const CHECKOUT_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// As [`REQUEST_DEADLINE`], of Buy Now: it looks the book up, and waits for two answers of the API, the second
/// of them asked for after [`LONGEST_RETRY_AFTER`] at the latest.
pub const BUY_DEADLINE: Duration = Duration::from_secs(28);
/// How long a connection is kept that no request comes on. Browsers keep one open between clicks, and the
/// gateway hands out connections, not requests: closing early would only cost a new one.
pub const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// After SIGTERM, requests in flight have this long: longer than any but Buy Now may take.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(15);
/// Requests that a replica works on at once. Whoever comes on top is told so at once.
pub const MOST_REQUESTS: usize = 2048;
/// Connections that a replica has at once. Others wait in the kernel's queue until one is closed.
pub const MOST_CONNECTIONS: usize = 8192;

// --- Settings ------------------------------------------------------------------------------------------------

/// Of RACE_WINDOW_MS. A purchase waits for its payment within a transaction, and an idle transaction is ended
/// after [`IDLE_IN_TRANSACTION_TIMEOUT`].
pub const LONGEST_RACE_WINDOW: Duration = Duration::from_secs(3);
/// Of RETRY_AFTER_MS. The checkout client gives up on an answer after [`CHECKOUT_ANSWER_TIMEOUT`], so a later
/// retry would be no retry.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10);

const _: () = {
    // One wait for a connection and one for a lock fit into a request, with time left for its work.
    assert!(ACQUIRE_TIMEOUT.as_secs() + LOCK_TIMEOUT.as_secs() < REQUEST_DEADLINE.as_secs());
    assert!(STATEMENT_TIMEOUT.as_secs() < RELEASE_TIMEOUT.as_secs());
    assert!(BODY_TIMEOUT.as_secs() < REQUEST_DEADLINE.as_secs());
    assert!(REQUEST_DEADLINE.as_secs() < CHECKOUT_ANSWER_TIMEOUT.as_secs());
    assert!(
        REQUEST_DEADLINE.as_secs() + LONGEST_RETRY_AFTER.as_secs() + CHECKOUT_ANSWER_TIMEOUT.as_secs()
            <= BUY_DEADLINE.as_secs()
    );
    assert!(LONGEST_RACE_WINDOW.as_secs() < IDLE_IN_TRANSACTION_TIMEOUT.as_secs());
    assert!(REQUEST_DEADLINE.as_secs() < SHUTDOWN_TIMEOUT.as_secs());
};
