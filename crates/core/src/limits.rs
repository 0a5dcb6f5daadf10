//! The bounds of settings that two programs check: a replica that uses them, and the lab that passes them on.

use std::time::Duration;

/// Of RACE_WINDOW_MS. A purchase waits for its payment within a transaction, and an idle transaction is ended
/// after [`crate::database::IDLE_IN_TRANSACTION_TIMEOUT`].
pub const LONGEST_RACE_WINDOW: Duration = Duration::from_secs(3);

/// Of RETRY_AFTER_MS. The checkout client gives up on an answer after 15 s, so a later retry would be no retry.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10);

/// Longest time from a connection's first byte to the whole head of its request: 408.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest body of a request, in bytes: 413.
pub const LONGEST_BODY: usize = 64 * 1024;

/// Longest time from a request's head to the whole of its body: 408.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(5);
