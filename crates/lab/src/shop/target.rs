//! The URLs of the shop that a check judges, and of its database.

use anyhow::Context;

use crate::control::messages::Status;
use crate::control::running;
use crate::database::owner_url::owner_url;
use crate::settings;

/// A running shop, and the database behind it.
#[derive(Clone)]
pub struct Target {
    /// `http://host:port`, where its visitors reach it.
    pub url: String,
    /// The database's URL, for the owner of the tables. It holds the password: don't show it.
    pub database_url: String,
    /// Whether the wiretap stands between its replicas and the database; `None` when that is not known.
    pub wiretap: Option<bool>,
}

impl Target {
    /// The shop that the lab runs in this folder.
    ///
    /// # Errors
    /// When no lab runs.
    pub async fn of_running_lab() -> anyhow::Result<Self> {
        Self::of(&running().await?)
    }

    /// The shop at this URL, on the database that `MIGRATION_DATABASE_URL` or `DATABASE_URL` names. The database's URL
    /// is no argument, because everybody on the machine can read arguments.
    ///
    /// # Errors
    /// When these variables are missing, or hold no URL of PostgreSQL.
    pub fn elsewhere(url: String) -> anyhow::Result<Self> {
        let database = settings::database()?.context(
            "--url is for a shop that make run has not started, and needs its database too: DATABASE_URL",
        )?;
        Ok(Self { url, database_url: database.owner.reveal().to_owned(), wiretap: None })
    }

    /// The shop that a lab with this status runs.
    ///
    /// # Errors
    /// When its database can't be found.
    pub fn of(status: &Status) -> anyhow::Result<Self> {
        let database = status.database.as_ref();
        let database = database.context("the shop is still starting. Ask again in a moment")?;
        let database_url = owner_url(database)?;
        let url = format!("http://{}", status.address);
        Ok(Self { url, database_url, wiretap: Some(status.wiretap) })
    }
}
