//! Checks the URL of a database, and completes it: with its password, and without what the driver would show.

use std::net::Ipv6Addr;
use std::str::FromStr;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sea_orm::sqlx::postgres::PgConnectOptions;
use url::{Host, Url};

use crate::environment::SettingError;

/// What is said of a URL that is missing or wrong.
pub(super) const EXPECTED: &str = "postgres://user:password@host:port/database";

/// The parameters of a URL that the driver knows. It logs the others with their values.
const PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// The URL with its password, and with nothing that the driver would show.
pub(super) fn complete(
    name: &'static str,
    url: Option<String>,
    password: Option<String>,
) -> Result<Option<String>, SettingError> {
    let Some(text) = url else { return Ok(None) };
    let invalid = |expected: String| SettingError::Invalid { name, value: "(hidden)".to_owned(), expected };
    if is_cut_short(&text) {
        return Err(invalid(format!(
            "{EXPECTED}, with the password's / ? # @ written as %2F %3F %23 %40. It may stand in {} as it is",
            name.replace("DATABASE_URL", "PGPASSWORD")
        )));
    }
    let not_understood = || invalid(EXPECTED.to_owned());
    let mut url = Url::parse(&text).map_err(|_| not_understood())?;
    if !matches!(url.scheme(), "postgres" | "postgresql") || !url.has_host() {
        return Err(not_understood());
    }
    // If there are several passwords, the driver takes the one in the parameters.
    let in_parameters = keep_known_parameters(&mut url, name);
    let in_variable = password.filter(|_| url.password().is_none());
    if let Some(password) = in_parameters.or(in_variable) {
        // Not left to `set_password`: it keeps a % as it is, and ab%41 would then be read as abA.
        let encoded = utf8_percent_encode(&password, NON_ALPHANUMERIC).to_string();
        url.set_password(Some(&encoded)).map_err(|()| not_understood())?;
    }
    if let Some(address) = address_in_brackets(&url) {
        // The driver would look up an address in brackets with its brackets.
        url.query_pairs_mut().append_pair("hostaddr", &address.to_string());
    }
    if PgConnectOptions::from_str(url.as_str()).is_err() {
        return Err(invalid(format!("{EXPECTED}, in UTF-8, with parameters as PostgreSQL has them")));
    }
    Ok(Some(url.into()))
}

/// The host of a URL that is an address in brackets, unless a parameter names another host.
fn address_in_brackets(url: &Url) -> Option<Ipv6Addr> {
    let is_elsewhere = url.query_pairs().any(|(name, _)| name == "host" || name == "hostaddr");
    match url.host() {
        Some(Host::Ipv6(address)) if !is_elsewhere => Some(address),
        _ => None,
    }
}

/// Whether the part with the password ends before the last @. Then it ends at a character of the password, and the rest
/// of the password would be taken for the database's name, and shown.
fn is_cut_short(url: &str) -> bool {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest.contains('#') || rest[end..].contains('@')
}

/// Removes the parameters that the driver doesn't know, and the password. Returns the password.
fn keep_known_parameters(url: &mut Url, name: &'static str) -> Option<String> {
    let pairs = url.query_pairs().into_owned();
    let is_known = |name: &str| PARAMETERS.contains(&name) || name.starts_with("options[");
    let (known, unknown): (Vec<_>, Vec<_>) = pairs.partition(|(name, _)| is_known(name));
    if !unknown.is_empty() {
        log::warn!("{name}: parameters that the shop does not know count for nothing");
    }
    let (passwords, others): (Vec<_>, Vec<_>) = known.into_iter().partition(|(name, _)| name == "password");
    match others.is_empty() {
        true => url.set_query(None),
        false => {
            url.query_pairs_mut().clear().extend_pairs(others);
        }
    }
    passwords.into_iter().next_back().map(|(_, password)| password)
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;
    use crate::database_url::password::Password;

    fn completed(url: &str, password: &str) -> String {
        complete("DATABASE_URL", Some(url.to_owned()), Some(password.to_owned())).unwrap().unwrap()
    }

    /// What the driver gets, and what psql does.
    fn password_of(url: &str) -> Option<String> {
        Password::split_off(url).1.text().map(str::to_owned)
    }

    #[test]
    fn a_password_of_its_own_is_put_into_the_url_and_taken_out_again() {
        let url = completed("postgres://shop@db:1/shop?sslmode=disable", "p@s:s/w?r#d%41é");

        assert_eq!(url, "postgres://shop:p%40s%3As%2Fw%3Fr%23d%2541%C3%A9@db:1/shop?sslmode=disable");
        assert_eq!(Password::split_off(&url).0, "postgres://shop@db:1/shop?sslmode=disable");
        assert_eq!(password_of(&url).as_deref(), Some("p@s:s/w?r#d%41é"));
    }

    #[test]
    fn one_among_the_parameters_is_taken_from_there_as_the_driver_would() {
        let url = completed("postgres://shop:one@db/shop?password=p%2541&application_name=a", "other");

        assert_eq!(url, "postgres://shop:p%2541@db/shop?application_name=a");
    }

    #[test]
    fn an_address_in_brackets_is_one_that_the_driver_can_connect_to() {
        for (url, host) in [
            ("postgres://shop@[::1]:1/shop", "::1"),
            ("postgres://shop@[::1]/shop?host=db", "db"),
            ("postgres://shop@[::1]/shop?hostaddr=::2", "::2"),
        ] {
            assert_eq!(PgConnectOptions::from_str(&completed(url, "one")).unwrap().get_host(), host);
        }
    }

    #[test]
    fn parameters_that_the_driver_would_show_are_left_out() {
        let url = completed("postgres://shop:one@db/shop?pasword=hunter2", "other");

        assert_eq!(url, "postgres://shop:one@db/shop");
    }

    #[test]
    fn the_one_in_the_url_wins() {
        assert_eq!(completed("postgres://shop:one@db/shop", "other"), "postgres://shop:one@db/shop");
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_it() {
        let error_of =
            |url: &str| complete("DATABASE_URL", Some(url.to_owned()), None).unwrap_err().to_string();
        let expected = format!("DATABASE_URL=(hidden): expected {EXPECTED}");
        for url in
            ["mysql://shop:hunter2@db/shop", "hunter2", "postgres://shop:hunter2@:x/", "postgres:hunter2"]
        {
            assert_eq!(error_of(url), expected);
        }
        for url in [
            "postgres://shop:1/hunter2@db/shop",
            "postgres://shop:1?hunter2@db/shop",
            "postgres://shop:1#hunter2@db/shop",
            "postgres://shop:hunter#2@db/shop",
        ] {
            assert_eq!(
                error_of(url),
                format!(
                    "{expected}, with the password's / ? # @ written as %2F %3F %23 %40. It may stand in PGPASSWORD \
                     as it is"
                )
            );
        }
        for url in ["postgres://shop:hunter2%ff@db/shop", "postgres://shop:hunter2@db/shop?port=x"] {
            assert_eq!(
                error_of(url),
                format!("{expected}, in UTF-8, with parameters as PostgreSQL has them")
            );
        }
    }

    proptest! {
        #[test]
        fn a_password_is_the_same_whichever_way_it_comes_in(password in "\\PC+|[ -~]+") {
            let encoded = utf8_percent_encode(&password, NON_ALPHANUMERIC).to_string();
            for (url, variable) in [
                ("postgres://shop@db/shop".to_owned(), Some(password.clone())),
                (format!("postgres://shop:{encoded}@db/shop"), None),
                (format!("postgres://shop@db/shop?password={encoded}"), None),
            ] {
                for name in ["DATABASE_URL", "MIGRATION_DATABASE_URL"] {
                    let url = complete(name, Some(url.clone()), variable.clone()).unwrap().unwrap();
                    prop_assert_eq!(password_of(&url), Some(password.clone()));
                    prop_assert_eq!(complete(name, Some(url.clone()), None).unwrap(), Some(url));
                }
            }
        }

        #[test]
        fn one_that_stands_in_the_url_as_it_is_counts_or_is_refused_and_never_shown(password in "[ -~]{8,20}") {
            match complete("DATABASE_URL", Some(format!("postgres://shop:{password}@db/shop")), None) {
                Ok(url) => {
                    let decoded = percent_decode_str(&password).decode_utf8().unwrap();
                    prop_assert_eq!(password_of(&url.unwrap()), Some(decoded.into_owned()));
                }
                Err(error) => prop_assert!(!error.to_string().contains(&password)),
            }
        }
    }
}
