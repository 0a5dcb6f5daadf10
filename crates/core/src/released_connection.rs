//! What happens to a connection between two users: [`crate::database::connect`] has each connection pass here before
//! the pool lends it again.
//!
//! A request can end at any await, because its client leaves or its time is over. Its work is dropped there, and
//! PostgreSQL may already have been told something that sqlx has not noted. sqlx 0.9.0 notes a BEGIN only when the
//! answer has come. If the request is dropped before that, the connection goes back to the pool inside a transaction.
//! The next purchase on it would be answered 200, and taken back later (sqlx issues 4385 and 4393; pull request 4394
//! mends this, and no release has it yet). So this file does not trust what sqlx has noted, and asks PostgreSQL itself.
//! The question stays right with the mended release: it also finds a transaction that was begun by hand.

use sea_orm::sqlx::{Connection, Error, PgConnection};
use tokio::time::timeout;

use crate::limits::RELEASE_TIMEOUT;

/// What is sent on a connection between two users. It takes back what outlives a transaction: changed settings return
/// to those that the connection was opened with, and the session's advisory locks are released. Both are one message,
/// so they cost one round trip.
pub const BETWEEN_TWO_USERS: &str = "RESET ALL; SELECT pg_advisory_unlock_all()";

/// Reads unread answers, ends an open transaction, and takes changed settings back. Returns whether the connection may
/// be lent again. If not, the pool closes it, and PostgreSQL takes its transaction back.
pub(crate) async fn may_be_lent_again(connection: &mut PgConnection) -> bool {
    match timeout(RELEASE_TIMEOUT, forget(connection)).await {
        Ok(Ok(())) => return true,
        // The error may be the answer to a dropped statement, whose transaction may be open and aborted.
        Ok(Err(error)) => log::debug!("a connection is closed instead of being lent again: {error}"),
        Err(_) => log::debug!("a connection is closed: it did not answer in {} s", RELEASE_TIMEOUT.as_secs()),
    }
    false
}

async fn forget(connection: &mut PgConnection) -> Result<(), Error> {
    // Once more after a ROLLBACK, which takes the RESET back too. The answer is read here and not left to the pool's
    // own ping: sqlx leaves Nagle's algorithm on, so the ping would wait for this answer all the same.
    while has_ended_transaction(connection).await? {}
    Ok(())
}

/// Sends [`BETWEEN_TWO_USERS`]. If that ran in a transaction, rolls the transaction back and returns true. PostgreSQL's
/// answer says whether there is a transaction (ReadyForQuery, PostgreSQL manual, section 55.7). sqlx looks at this part
/// of an answer only after BEGIN, so the statement is sent as if it were a BEGIN.
async fn has_ended_transaction(connection: &mut PgConnection) -> Result<bool, Error> {
    match connection.begin_with(BETWEEN_TWO_USERS).await {
        Ok(left_open) => left_open.rollback().await.map(|()| true),
        Err(Error::BeginFailed) => Ok(false),
        Err(error) => Err(error),
    }
}
