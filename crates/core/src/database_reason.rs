//! Why a database can't be used, in its own words and in one line: for the log and for a person at a terminal, never
//! for an answer over HTTP. No password is in it.

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{Connection, Error as SqlxError};
use sea_orm::{DbErr, RuntimeErr};
use tokio::time::timeout;

use crate::limits::ACQUIRE_TIMEOUT;

/// Opens a session with these options, asks it whether it works, and closes it. `None` when it does, otherwise the
/// reason. A pool has the options of its sessions: `connect_options`.
///
/// The pool's own errors don't always have the reason: where a server refuses connections, the pool tries again
/// until its time is over, and says only that.
pub async fn why_unusable(options: &PgConnectOptions) -> Option<String> {
    let attempt = async {
        let mut session = PgConnection::connect_with(options).await?;
        session.ping().await?;
        session.close().await
    };
    match timeout(ACQUIRE_TIMEOUT, attempt).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(driver_reason(&error)),
        // A request that waits for a connection of the pool is told to try again after the same time.
        Err(_) => Some(format!("no answer in {} s", ACQUIRE_TIMEOUT.as_secs())),
    }
}

/// What the error says.
pub fn reason(error: &DbErr) -> String {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => driver_reason(error),
        error => in_one_line(&error.to_string()),
    }
}

/// The same of the driver's own error. PostgreSQL's message stands alone: the driver adds a line number of
/// PostgreSQL's source, which looks like one of ours.
pub fn driver_reason(error: &SqlxError) -> String {
    match error {
        SqlxError::Database(error) => in_one_line(error.message()),
        SqlxError::Io(error) => in_one_line(&error.to_string()),
        // The driver shows the character. RFC 4013, which SCRAM prepares passwords with, knows nothing newer.
        SqlxError::Configuration(error) if error.to_string().contains("saslprep password") => {
            "the password has a character that is not allowed in a login: a control character, or one that is newer \
             than Unicode 3.2, such as an emoji"
                .to_owned()
        }
        error => in_one_line(&error.to_string()),
    }
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_whatever_the_server_sends() {
        let error = SqlxError::Protocol("no\r\n\tthanks\n".to_owned());

        assert_eq!(driver_reason(&error), "encountered unexpected or invalid data: no thanks");
    }

    #[test]
    fn what_the_system_says_stands_alone() {
        let refused = || std::io::Error::from(std::io::ErrorKind::ConnectionRefused);

        assert_eq!(driver_reason(&SqlxError::Io(refused())), "connection refused");
        let error = DbErr::Conn(RuntimeErr::SqlxError(SqlxError::Io(refused()).into()));
        assert_eq!(reason(&error), "connection refused");
    }
}
