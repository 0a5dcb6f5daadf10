//! Waits for a database that is not up yet.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use sea_orm_migration::sea_orm::sqlx::postgres::PgConnection;
use sea_orm_migration::sea_orm::sqlx::{self, Connection};
use tokio::time::{sleep, timeout};

const LIMIT: Duration = Duration::from_secs(30);
/// Of one attempt to connect.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(250);

/// Returns when the database of `url` answers. `name` is the setting that holds the URL; `say` hears once that
/// there is a wait. An answer that says no (a wrong password, no such database) ends it at once.
///
/// # Errors
/// When it says no, or doesn't answer within half a minute.
pub async fn wait_for_database(url: &str, name: &str, say: impl Fn(&str)) -> anyhow::Result<()> {
    let deadline = Instant::now() + LIMIT;
    let mut said = false;
    loop {
        let error = match timeout(ATTEMPT_LIMIT, PgConnection::connect(url)).await {
            Ok(Ok(connection)) => {
                return connection.close().await.with_context(|| format!("{name}: the database failed"));
            }
            Ok(Err(error)) if is_final(&error) => return Err(error).context(name.to_owned()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        if Instant::now() > deadline {
            let limit = LIMIT.as_secs();
            bail!("{name}: no database answered in {limit} s: {error}. Start it, or unset {name}");
        }
        if !std::mem::replace(&mut said, true) {
            say(&format!("waiting for the database of {name}…"));
        }
        sleep(POLL).await;
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
