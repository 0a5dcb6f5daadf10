//! A password is kept apart from its URL, because URLs are logged.

use percent_encoding::percent_decode_str;
use sea_orm::sqlx::postgres::PgConnectOptions;
use url::Url;

/// A password apart from its URL.
pub struct Password(Option<String>);

impl Password {
    /// The URL without its password, and the password. SeaORM logs the URL that it is given, at level trace.
    pub fn split_off(url: &str) -> (String, Self) {
        let Ok(mut parsed) = Url::parse(url) else { return (url.to_owned(), Self(None)) };
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let password = parsed.password().map(decode);
        match parsed.set_password(None) {
            Ok(()) => (parsed.into(), Self(password)),
            Err(()) => (url.to_owned(), Self(None)),
        }
    }

    /// Gives the password to the driver, which doesn't log it.
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
