//! What happens to a connection between two who use it: [`crate::database::connect`] has each connection pass here
//! before the pool lends it again.
//!
//! A request can end at any await: its client leaves, or its time is over, and what it was doing is dropped. By then
//! PostgreSQL may have been told something that the client side has not noted. sqlx 0.9.0 notes a BEGIN only once
//! it is answered; dropped in between, the connection would go back inside a transaction, and the next purchase on
//! it would be answered 200 and taken back later (sqlx issues 4385 and 4393; mended by pull request 4394, which no
//! release has yet). So nothing that the client side has noted is believed here: PostgreSQL itself is asked.
//! With that release the question is still right. It then also finds what was begun by hand.

use sea_orm::sqlx::{Connection, Error, PgConnection};
use tokio::time::timeout;

use crate::limits::RELEASE_TIMEOUT;

/// What is sent on a connection between two users. It takes back what outlives a transaction: changed settings return
/// to those that the connection was opened with, and the session's advisory locks are released. Both are one message,
/// so they cost one round trip.
pub const BETWEEN_TWO_USERS: &str = "RESET ALL; SELECT pg_advisory_unlock_all()";

/// Reads what is still unread, ends what is still open, and takes back what was set. Says whether the connection may
/// be lent again; if not, it is to be closed, and PostgreSQL takes back what it was doing.
pub(crate) async fn may_be_lent_again(connection: &mut PgConnection) -> bool {
    match timeout(RELEASE_TIMEOUT, forget(connection)).await {
        Ok(Ok(())) => return true,
        // Also an error of a statement that nobody waited for: its transaction may be open, and aborted.
        Ok(Err(error)) => log::debug!("a connection is closed instead of being lent again: {error}"),
        Err(_) => log::debug!("a connection is closed: it did not answer in {} s", RELEASE_TIMEOUT.as_secs()),
    }
    false
}

async fn forget(connection: &mut PgConnection) -> Result<(), Error> {
    // Once more after a ROLLBACK, which takes the RESET back too. The answer can't be left to be read with the pool's
    // own ping: sqlx leaves Nagle's algorithm on, so that the ping would wait for it all the same.
    while has_ended_transaction(connection).await? {}
    Ok(())
}

/// Sends [`BETWEEN_TWO_USERS`], and if that ran in a transaction, takes it back and returns true. PostgreSQL's answer
/// says whether there is one (ReadyForQuery, PostgreSQL manual, section 55.7). sqlx compares that with what it expects
/// only after BEGIN, so a statement that begins none is sent as if it did.
async fn has_ended_transaction(connection: &mut PgConnection) -> Result<bool, Error> {
    match connection.begin_with(BETWEEN_TWO_USERS).await {
        Ok(left_open) => left_open.rollback().await.map(|()| true),
        Err(Error::BeginFailed) => Ok(false),
        Err(error) => Err(error),
    }
}
