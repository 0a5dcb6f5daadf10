//! `lab psql`: a shell on the shop's database.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::str::FromStr;

use anyhow::Context;
use flash_sale_core::database_url::Password;
use flash_sale_testbed::postgres::fetch::fetched_into;
use flash_sale_testbed::postgres::programs::find_psql;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use crate::control::NOT_RUNNING;
use crate::control::ask;
use crate::control::messages::{Event, Request};
use crate::database::owner_url::owner_url;
use crate::project::PROGRAMS;
use crate::settings;

/// Becomes psql, with `arguments`, on the database of the running shop, or else on the one that `DATABASE_URL` names.
/// psql gets the password through its environment, because anybody can read a process's arguments.
///
/// # Errors
/// When there is neither of these databases, or no psql.
pub async fn psql(arguments: &[OsString]) -> anyhow::Result<()> {
    let url = match ask(&Request::Status, |_| {}).await? {
        Some(Event::Status(status)) => {
            owner_url(&status.database.context("the shop is still starting. Ask again in a moment")?)?
        }
        _ => settings::database()?.context(NOT_RUNNING)?.owner.reveal().to_owned(),
    };
    let psql = find_psql(&fetched_into(Path::new(PROGRAMS)))?;
    let mut command = Command::new(&psql);
    // libpq knows more variables. `environment::prepare` has left all of them out.
    command.env_remove("PGPASSWORD").envs(variables_of(&url)?).args(arguments);
    Err(command.exec()).with_context(|| format!("can't start {}", psql.display()))
}

/// The URL as the driver understands it, in libpq's variables. So psql connects as the shop does.
fn variables_of(url: &str) -> anyhow::Result<Vec<(&'static str, String)>> {
    let unreadable = "the database's URL can't be read";
    let options = PgConnectOptions::from_str(url).context(unreadable)?;
    let parsed = Url::parse(url).context(unreadable)?;
    let host = match options.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => options.get_host().trim_matches(['[', ']']).to_owned(),
    };
    // The driver doesn't tell the paths of these files.
    let file = |names: &[&str]| {
        let pairs = parsed.query_pairs().filter(|(name, _)| names.contains(&name.as_ref()));
        pairs.last().map(|(_, file)| file.into_owned())
    };
    let given = [
        ("PGHOST", Some(host)),
        ("PGPORT", Some(options.get_port().to_string())),
        ("PGUSER", Some(options.get_username().to_owned())),
        ("PGDATABASE", options.get_database().map(str::to_owned)),
        ("PGPASSWORD", Password::split_off(url).1.text().map(str::to_owned)),
        ("PGSSLMODE", Some(name_of(options.get_ssl_mode()).to_owned())),
        ("PGSSLROOTCERT", file(&["sslrootcert", "ssl-root-cert", "ssl-ca"])),
        ("PGSSLCERT", file(&["sslcert", "ssl-cert"])),
        ("PGSSLKEY", file(&["sslkey", "ssl-key"])),
        ("PGAPPNAME", options.get_application_name().map(str::to_owned)),
        ("PGOPTIONS", options.get_options().map(str::to_owned)),
    ];
    Ok(given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

fn name_of(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_the_variables_that_psql_reads() {
        let url = "postgres://me:p%40ss%2F%25%C3%A9@db.example:6432/the%20shop?sslmode=require&ssl-ca=/root.crt\
                   &application_name=a+shop&options=-c%20search_path%3Dx&options[geqo]=off";
        let expected = [
            ("PGHOST", "db.example"),
            ("PGPORT", "6432"),
            ("PGUSER", "me"),
            ("PGDATABASE", "the shop"),
            ("PGPASSWORD", "p@ss/%é"),
            ("PGSSLMODE", "require"),
            ("PGSSLROOTCERT", "/root.crt"),
            ("PGAPPNAME", "a shop"),
            ("PGOPTIONS", "-c search_path=x -c geqo=off"),
        ];

        assert_eq!(variables_of(url).unwrap(), expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn the_address_is_the_one_that_the_driver_connects_to() {
        for (url, host, port) in [
            ("postgres://me@[::1]:6432/shop", "::1", "6432"),
            ("postgres://me@%2Frun%2Fpostgresql/shop", "/run/postgresql", "5432"),
            ("postgres://me@db/shop?host=/run/postgresql&port=6432", "/run/postgresql", "6432"),
            ("postgres://me@db/shop?host=other", "other", "5432"),
            ("postgres://me@db/shop?hostaddr=::1", "::1", "5432"),
        ] {
            let variables = variables_of(url).unwrap();
            assert_eq!(&variables[..2], [("PGHOST", host.to_owned()), ("PGPORT", port.to_owned())], "{url}");
        }
    }
}
