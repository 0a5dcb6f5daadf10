//! Puts an error into words, for a person or the log. Use [`told`] instead of `{error:#}`: a driver's error repeats
//! itself in its own sources. It also names a line number of PostgreSQL's source, which looks like one of ours.

use anyhow::Error;
use flash_sale_core::database_reason::{driver_reason, reason};

/// What failed, and why, from the outermost reason to the innermost one. Each reason is said once.
pub fn told(error: &Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let of_driver = cause.downcast_ref().map(driver_reason);
        let of_database = of_driver.or_else(|| cause.downcast_ref().map(reason));
        let is_last = of_database.is_some();
        let part = of_database.unwrap_or_else(|| cause.to_string());
        if !parts.last().is_some_and(|before| before.contains(&part)) {
            parts.push(part);
        }
        if is_last {
            break;
        }
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};
    use sea_orm::{DbErr, RuntimeErr, sqlx};

    use super::*;

    #[test]
    fn what_a_driver_says_is_said_once() {
        let error: Result<(), _> = Err(sqlx::Error::Protocol("no thanks".to_owned()));
        let error = error.context("can't reach the database").unwrap_err();
        assert_eq!(
            told(&error),
            "can't reach the database: encountered unexpected or invalid data: no thanks"
        );

        let error: Result<(), _> = Err(DbErr::Conn(RuntimeErr::SqlxError(
            sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into()).into(),
        )));
        assert_eq!(told(&error.context("no shop").unwrap_err()), "no shop: connection refused");
    }

    #[test]
    fn other_reasons_stand_one_after_the_other() {
        let error = anyhow!("permission denied").context("can't open x").context("PostgreSQL");
        assert_eq!(told(&error), "PostgreSQL: can't open x: permission denied");

        let error = anyhow!("denied").context("can't open x: denied");
        assert_eq!(told(&error), "can't open x: denied");
    }
}
