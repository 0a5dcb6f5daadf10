//! Waits for a database that is not up yet.

use std::time::{Duration, Instant};

use anyhow::bail;
use flash_sale_core::database_reason::driver_reason;
use sea_orm_migration::sea_orm::sqlx::postgres::PgConnection;
use sea_orm_migration::sea_orm::sqlx::{self, Connection};
use tokio::time::{sleep, timeout};

const LIMIT: Duration = Duration::from_secs(30);
/// The time that one attempt to connect may take.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(250);

/// Why an attempt to connect has failed.
pub(crate) enum Failure {
    /// The answer is no (a wrong password, no such database). It will be no the next time, too.
    No(sqlx::Error),
    /// There is no answer, or the answer is "not now". It holds the reason, in one line.
    NotYet(String),
}

/// Returns when the database of `url` answers. `name` is the setting that holds the URL. `say` is called once,
/// with the reason, when there is a wait. An answer that says no ends the wait at once.
///
/// # Errors
/// When the database says no, or doesn't answer within half a minute. The error says why, and what to do.
pub async fn wait_for_database(url: &str, name: &str, say: impl Fn(&str)) -> anyhow::Result<()> {
    let deadline = Instant::now() + LIMIT;
    let mut said = false;
    loop {
        let answer = within_limit(async { PgConnection::connect(url).await?.close().await }).await;
        let reason = match answer {
            Ok(()) => return Ok(()),
            Err(Failure::No(error)) => bail!("{name}: {}. Correct it", driver_reason(&error)),
            Err(Failure::NotYet(reason)) => reason,
        };
        if Instant::now() > deadline {
            let limit = LIMIT.as_secs();
            bail!("{name}: no database answered in {limit} s: {reason}. Start it, or unset {name}");
        }
        if !std::mem::replace(&mut said, true) {
            say(&format!("waiting for the database of {name}: {reason}…"));
        }
        sleep(POLL).await;
    }
}

/// Makes one attempt. It ends within its limit, also when nobody answers.
pub(crate) async fn within_limit<T>(
    attempt: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Failure> {
    match timeout(ATTEMPT_LIMIT, attempt).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if is_final(&error) => Err(Failure::No(error)),
        Ok(Err(error)) => Err(Failure::NotYet(driver_reason(&error))),
        Err(_) => Err(Failure::NotYet("no answer".to_owned())),
    }
}

fn is_final(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Configuration(_) => true,
        // 57P03: it is starting up. 53300: too many connections.
        sqlx::Error::Database(error) => {
            !error.code().is_some_and(|code| code.starts_with("57") || code.starts_with("53"))
        }
        _ => false,
    }
}
