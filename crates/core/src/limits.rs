//! The limit of each wait of a replica. After a limit, the client gets 503 with `Retry-After`, and nothing of its
//! request happens later. This file also has the bounds of the settings that two programs check. The limits of the
//! gateway and of programs that serve no client stand with their code (ARCHITECTURE.md, "Limits").

use std::time::Duration;

// --- A replica and PostgreSQL, for each connection -----------------------------------------------------------

/// Longest wait for a connection. If the pool has to open a new one, the opening is part of the wait.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for a lock that another transaction holds (`lock_timeout`).
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest run of one statement (`statement_timeout`).
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest pause of a transaction between two statements (`idle_in_transaction_session_timeout`).
pub const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(5);
/// How often PostgreSQL looks whether the replica is still there while a statement runs or waits
/// (`client_connection_check_interval`, since PostgreSQL 14). When a replica has died, PostgreSQL ends the statement
/// that waits for a lock. Without the check, the statement would be carried out as soon as the lock is free.
pub const CLIENT_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Longest wait for a connection that is given back, until all that was left open on it has ended. After that, the
/// connection is closed. The limit is longer than the longest statement, because a statement may still run for which
/// nobody waits any more.
pub const RELEASE_TIMEOUT: Duration = Duration::from_secs(6);
/// Longest wait of a buyer in the queue of `batched`, until the buyer's batch begins. The wait is long when somebody
/// holds the product's row. The statement of the batch may wait for several locks in turn, and so for longer than
/// [`LOCK_TIMEOUT`]. It must still end before the requests of its buyers are given up: after that, nobody could tell
/// the buyers that nothing was sold.
pub const BATCH_QUEUE_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait of a buyer at the bulkhead: for the others who buy the same product by the same replica. Where all of
/// them wait for one lock, this comes before the waits for a connection and for the lock.
pub const BULKHEAD_TIMEOUT: Duration = Duration::from_secs(3);
/// The last moment, counted from the first attempt, at which a purchase by a strategy is tried again. Attempts follow
/// one another while other buyers are faster.
pub const LATEST_ATTEMPT: Duration = Duration::from_secs(5);
/// Longest wait of `GET /ready` for the database's answer.
pub const READY_TIMEOUT: Duration = Duration::from_secs(1);

// --- A replica and its clients -------------------------------------------------------------------------------

/// Longest time from a connection's first byte to the whole head of its first request: 408. The gateway's own limit
/// (`GATEWAY_HEAD_TIMEOUT` in crates/gateway) is shorter, so a client of the gateway is always answered by the gateway.
/// The gateway's answer has a body that explains it.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(6);
/// Longest body of a request, in bytes: 413.
pub const LONGEST_BODY: usize = 64 * 1024;
/// Longest time from a request's head to the whole of its body: 408.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time from a whole request to its answer, whatever the request waits for. After that, the replica gives the
/// request up and takes its transaction back.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(8);
/// Longest wait of Buy Now's checkout client for one answer of the API. Every answer comes earlier, so only a dead
/// network reaches this limit.
pub const CHECKOUT_ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait of the checkout client for a connection.
pub const CHECKOUT_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// As [`REQUEST_DEADLINE`], for Buy Now. Buy Now looks the book up, and waits for two answers of the API. It asks for
/// the second one after [`LONGEST_RETRY_AFTER`] at the latest.
pub const BUY_DEADLINE: Duration = Duration::from_secs(28);
/// How long a connection stays open while no request comes on it. Browsers keep a connection open between two clicks,
/// and the gateway hands out connections, not requests. Closing early would only cost a new connection.
pub const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// How long requests in flight may still take after SIGTERM. Only Buy Now may take longer.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(15);
/// Requests that a replica works on at once. Each further request is refused at once: 503.
pub const MOST_REQUESTS: usize = 2048;
/// Connections that a replica has at once. Further ones wait in the kernel's queue until a connection is closed.
pub const MOST_CONNECTIONS: usize = 8192;

// --- Settings ------------------------------------------------------------------------------------------------

/// The largest RACE_WINDOW_MS. A purchase waits for its payment within a transaction, and PostgreSQL ends an idle
/// transaction after [`IDLE_IN_TRANSACTION_TIMEOUT`].
pub const LONGEST_RACE_WINDOW: Duration = Duration::from_secs(3);
/// The largest RETRY_AFTER_MS. The checkout client gives up on an answer after [`CHECKOUT_ANSWER_TIMEOUT`], so a later
/// retry would come after the end of the first request.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10);
/// The largest HOLD_MS and HOLD_SWEEP_MS. Shops with a real payment page hold a copy for minutes.
pub const LONGEST_HOLD: Duration = Duration::from_secs(3600);

const _: () = {
    // One wait for a connection and one for a lock fit into a request, with time left for its work.
    assert!(ACQUIRE_TIMEOUT.as_secs() + LOCK_TIMEOUT.as_secs() < REQUEST_DEADLINE.as_secs());
    assert!(STATEMENT_TIMEOUT.as_secs() < RELEASE_TIMEOUT.as_secs());
    assert!(BATCH_QUEUE_TIMEOUT.as_secs() + STATEMENT_TIMEOUT.as_secs() < REQUEST_DEADLINE.as_secs());
    assert!(LATEST_ATTEMPT.as_secs() < REQUEST_DEADLINE.as_secs());
    assert!(BODY_TIMEOUT.as_secs() < REQUEST_DEADLINE.as_secs());
    assert!(REQUEST_DEADLINE.as_secs() < CHECKOUT_ANSWER_TIMEOUT.as_secs());
    assert!(
        REQUEST_DEADLINE.as_secs() + LONGEST_RETRY_AFTER.as_secs() + CHECKOUT_ANSWER_TIMEOUT.as_secs()
            <= BUY_DEADLINE.as_secs()
    );
    assert!(LONGEST_RACE_WINDOW.as_secs() < IDLE_IN_TRANSACTION_TIMEOUT.as_secs());
    assert!(REQUEST_DEADLINE.as_secs() < SHUTDOWN_TIMEOUT.as_secs());
};
