//! Opens sessions as the shop does: can one be opened, and does it have the settings that the shop has asked for?

use flash_sale_core::database::{DatabaseSettings, connect};
use flash_sale_core::database_reason;
use flash_sale_core::limits::{ACQUIRE_TIMEOUT, LOCK_TIMEOUT};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, Connection, Row};
use tokio::time::timeout;

use super::Database;
use crate::control::messages::DatabaseStatus;

impl Database {
    /// Logs in as the shop does. `None` when that works, otherwise why it doesn't.
    pub async fn why_unusable(&self) -> Option<String> {
        match self.session_options().await {
            Ok(options) => database_reason::why_unusable(&options).await,
            Err(error) => Some(error.to_string()),
        }
    }

    /// A warning, if sessions come without the time limits that the shop asks for as it logs in. Then something between
    /// the shop and PostgreSQL has dropped the limits, and the shop doesn't know it. `None` also when nobody answers.
    pub async fn lost_limits(&self) -> Option<String> {
        let DatabaseStatus::External = self.status() else { return None };
        let options = self.session_options().await.ok()?;
        let limit = timeout(ACQUIRE_TIMEOUT, lock_timeout(&options)).await.ok()?.ok()?;
        let asked_for = LOCK_TIMEOUT.as_millis().to_string();
        (limit != asked_for).then(|| {
            format!(
                "a connection pooler drops the shop's time limits (lock_timeout is {limit} ms, not {asked_for}). The \
                 shop needs PostgreSQL itself: see README.md, \"Your own PostgreSQL\""
            )
        })
    }

    /// The options that the shop's sessions are opened with. A pool is made only to learn them. It has a runtime of its
    /// own, because a pool would go on for minutes in the background where nobody answers. All of that ends with the
    /// runtime.
    async fn session_options(&self) -> anyhow::Result<PgConnectOptions> {
        let settings = DatabaseSettings {
            url: self.urls.shop.reveal().to_owned(),
            application_name: "lab".to_owned(),
            pool_size: 1,
        };
        let options = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let pool = runtime.block_on(connect(&settings))?;
            anyhow::Ok(PgConnectOptions::clone(&pool.get_postgres_connection_pool().connect_options()))
        });
        options.await?
    }
}

/// The session's limit in milliseconds.
async fn lock_timeout(options: &PgConnectOptions) -> Result<String, sqlx::Error> {
    let mut session = PgConnection::connect_with(options).await?;
    // Not prepared: a pooler may mix up the prepared statements of its clients.
    let statement = sqlx::raw_sql("SELECT setting FROM pg_settings WHERE name = 'lock_timeout'");
    let limit = statement.fetch_one(&mut session).await?.try_get(0)?;
    session.close().await?;
    Ok(limit)
}
