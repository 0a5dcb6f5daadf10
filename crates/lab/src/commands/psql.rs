//! `lab psql`: a shell on the shop's database.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use reqwest::Url;

use super::status::running;
use crate::database::{DATABASE_NAME, DatabaseStatus};
use crate::percent::decode;
use crate::postgres::fetch::fetched_into;
use crate::postgres::programs::find_psql;
use crate::project::PROGRAMS;
use crate::settings::LabSettings;

/// Becomes psql, with `arguments`. It gets the password through its environment, because anybody can read a
/// process's arguments.
///
/// # Errors
/// When nothing runs, or there is no psql.
pub async fn psql(arguments: &[OsString]) -> anyhow::Result<()> {
    let variables = match LabSettings::read()?.database {
        Some(database) => of_url(&database.owner)?,
        None => of_private_postgres().await?,
    };
    let psql = find_psql(&fetched_into(Path::new(PROGRAMS)))?;
    let error = Command::new(&psql).envs(variables).args(arguments).exec();
    Err(error).with_context(|| format!("can't start {}", psql.display()))
}

type Variables = Vec<(&'static str, String)>;

async fn of_private_postgres() -> anyhow::Result<Variables> {
    let Some(DatabaseStatus::Private { port, password_file, .. }) = running().await?.database else {
        bail!(
            "the lab runs without a PostgreSQL of its own. Name the other one: DATABASE_URL=… make db-shell"
        )
    };
    let password = fs::read_to_string(&password_file)
        .with_context(|| format!("can't read {}", password_file.display()))?;
    Ok(vec![
        ("PGHOST", "127.0.0.1".to_owned()),
        ("PGPORT", port.to_string()),
        ("PGUSER", "postgres".to_owned()),
        ("PGDATABASE", DATABASE_NAME.to_owned()),
        ("PGPASSWORD", password),
    ])
}

fn of_url(url: &str) -> anyhow::Result<Variables> {
    let url = Url::parse(url).context("DATABASE_URL is not a URL")?;
    let mut variables = vec![
        ("PGHOST", url.host_str().unwrap_or_default().to_owned()),
        ("PGPORT", url.port().unwrap_or(5432).to_string()),
        ("PGUSER", decode(url.username())),
        ("PGDATABASE", decode(url.path().trim_start_matches('/'))),
        ("PGPASSWORD", decode(url.password().unwrap_or_default())),
    ];
    let sslmode = url.query_pairs().find(|(name, _)| name == "sslmode");
    variables.extend(sslmode.map(|(_, mode)| ("PGSSLMODE", mode.into_owned())));
    variables.retain(|(_, value)| !value.is_empty());
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_the_variables_that_psql_reads() {
        let variables = of_url("postgres://me:p%40ss%2F%C3%A9@db.example:6432/shop?sslmode=require").unwrap();

        let expected = [
            ("PGHOST", "db.example"),
            ("PGPORT", "6432"),
            ("PGUSER", "me"),
            ("PGDATABASE", "shop"),
            ("PGPASSWORD", "p@ss/é"),
            ("PGSSLMODE", "require"),
        ];
        assert_eq!(variables, expected.map(|(name, value)| (name, value.to_owned())));
    }
}
