//! The settings that name a database. Their values hold passwords, and are never part of a message.

use percent_encoding::percent_decode_str;
use sea_orm::sqlx::postgres::PgConnectOptions;
use url::Url;

use crate::environment::{SettingError, optional_text};

/// DATABASE_URL: the database, and the role that the shop works as. `None` when it isn't set.
///
/// # Errors
/// When it is no URL of PostgreSQL.
pub fn database_url() -> Result<Option<String>, SettingError> {
    complete("DATABASE_URL", optional_text("DATABASE_URL")?, optional_text("PGPASSWORD")?)
}

/// As [`database_url`], for a program that can't do without.
///
/// # Errors
/// When it is missing, or no URL of PostgreSQL.
pub fn required_database_url() -> Result<String, SettingError> {
    let missing = || SettingError::Missing { name: "DATABASE_URL", expected: EXPECTED.to_owned() };
    database_url()?.ok_or_else(missing)
}

/// MIGRATION_DATABASE_URL: the same database, and the role that owns the tables. `None` when it isn't set: then
/// the one of [`database_url`] does everything.
///
/// # Errors
/// When it is no URL of PostgreSQL.
pub fn migration_database_url() -> Result<Option<String>, SettingError> {
    complete(
        "MIGRATION_DATABASE_URL",
        optional_text("MIGRATION_DATABASE_URL")?,
        optional_text("MIGRATION_PGPASSWORD")?,
    )
}

/// A password apart from its URL.
pub struct Password(Option<String>);

impl Password {
    /// The URL without its password, and that. SeaORM logs the URL that it is given, at level trace.
    pub fn split_off(url: &str) -> (String, Self) {
        let Ok(mut parsed) = Url::parse(url) else { return (url.to_owned(), Self(None)) };
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let password = parsed.password().map(decode);
        match parsed.set_password(None) {
            Ok(()) => (parsed.into(), Self(password)),
            Err(()) => (url.to_owned(), Self(None)),
        }
    }

    /// For the driver, which logs nothing of it.
    pub fn add_to(&self, options: PgConnectOptions) -> PgConnectOptions {
        match &self.0 {
            Some(password) => options.password(password),
            None => options,
        }
    }

    /// The text, if there is one.
    pub fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// What is said of a URL that is missing or wrong.
const EXPECTED: &str = "postgres://user:password@host:port/database";

/// A password that stands in a variable of its own may hold any character.
fn complete(
    name: &'static str,
    url: Option<String>,
    password: Option<String>,
) -> Result<Option<String>, SettingError> {
    let Some(text) = url else { return Ok(None) };
    let invalid =
        || SettingError::Invalid { name, value: "(hidden)".to_owned(), expected: EXPECTED.to_owned() };
    let mut url = Url::parse(&text).map_err(|_| invalid())?;
    if !matches!(url.scheme(), "postgres" | "postgresql") || !url.has_host() {
        return Err(invalid());
    }
    match password {
        Some(password) if url.password().is_none() => {
            url.set_password(Some(&password)).map_err(|()| invalid())?;
            Ok(Some(url.into()))
        }
        _ => Ok(Some(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(url: &str, password: &str) -> String {
        complete("DATABASE_URL", Some(url.to_owned()), Some(password.to_owned())).unwrap().unwrap()
    }

    #[test]
    fn a_password_of_its_own_is_put_into_the_url_and_may_hold_anything() {
        assert_eq!(
            completed("postgres://shop@db/shop", "p@s:s/w?r#d%é"),
            "postgres://shop:p%40s%3As%2Fw%3Fr%23d%%C3%A9@db/shop"
        );
    }

    #[test]
    fn it_is_taken_out_of_the_url_again() {
        let (url, password) =
            Password::split_off("postgres://shop:p%40s%3As%2Fw%3Fr%23d%%C3%A9@db:1/shop?sslmode=disable");

        assert_eq!(url, "postgres://shop@db:1/shop?sslmode=disable");
        assert_eq!(password.text(), Some("p@s:s/w?r#d%é"));
    }

    #[test]
    fn the_one_in_the_url_wins() {
        assert_eq!(completed("postgres://shop:one@db/shop", "other"), "postgres://shop:one@db/shop");
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_it() {
        for url in
            ["mysql://shop:hunter2@db/shop", "hunter2", "postgres://shop:hunter2@:x/", "postgres:hunter2"]
        {
            let error = complete("DATABASE_URL", Some(url.to_owned()), None).unwrap_err().to_string();
            assert_eq!(error, format!("DATABASE_URL=(hidden): expected {EXPECTED}"));
        }
    }
}
