//! Where the shop and its database are that a check judges.

use std::fs;

use anyhow::{Context, bail};

use crate::commands::status::running;
use crate::control::Status;
use crate::database::{DATABASE_NAME, DatabaseStatus};
use crate::settings::LabSettings;

/// A running shop, and the database behind it.
#[derive(Clone)]
pub struct Target {
    /// `http://host:port`, where its visitors reach it.
    pub url: String,
    /// As the owner of the tables. It holds the password: don't show it.
    pub database_url: String,
}

impl Target {
    /// What the lab runs in this folder.
    ///
    /// # Errors
    /// When it doesn't run.
    pub async fn of_running_lab() -> anyhow::Result<Self> {
        Self::of(&running().await?)
    }

    /// The shop at this URL, on the database that `MIGRATION_DATABASE_URL` or `DATABASE_URL` names: an argument could be read by everybody
    /// on the machine.
    ///
    /// # Errors
    /// When they are missing, or no URL of PostgreSQL.
    pub fn elsewhere(url: String) -> anyhow::Result<Self> {
        let database = LabSettings::read()?.database.context(
            "--url judges a shop that the lab doesn't run, and needs its database too: DATABASE_URL",
        )?;
        Ok(Self { url, database_url: database.owner })
    }

    /// What a lab with this status runs.
    ///
    /// # Errors
    /// When its database can't be found.
    pub fn of(status: &Status) -> anyhow::Result<Self> {
        let database_url = match &status.database {
            Some(DatabaseStatus::Private { port, password_file, .. }) => {
                let password = fs::read_to_string(password_file)
                    .with_context(|| format!("can't read {}", password_file.display()))?;
                format!(
                    "postgres://postgres:{}@127.0.0.1:{port}/{DATABASE_NAME}?sslmode=disable",
                    password.trim()
                )
            }
            Some(DatabaseStatus::External) => {
                let database = LabSettings::read()?.database.context(
                    "the lab runs on a database of yours. Name it here too: DATABASE_URL=… make check",
                )?;
                database.owner
            }
            None => bail!("the lab is still starting. Ask again in a moment"),
        };
        Ok(Self { url: status.url.clone(), database_url })
    }
}
