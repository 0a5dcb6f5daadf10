//! How every process connects to PostgreSQL, with the limits of [`crate::limits`].

use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr};

use crate::database_url::Password;
use crate::limits::{
    ACQUIRE_TIMEOUT, CLIENT_CHECK_INTERVAL, IDLE_IN_TRANSACTION_TIMEOUT, LOCK_TIMEOUT, STATEMENT_TIMEOUT,
};
use crate::released_connection::may_be_lent_again;

pub use crate::released_connection::BETWEEN_TWO_USERS;

/// A connection that was idle for longer is tested before it is used again. Testing each time would cost
/// every request a round trip.
const TEST_WHEN_IDLE_FOR: Duration = Duration::from_secs(1);

/// Where and how to connect.
#[derive(Clone)]
pub struct DatabaseSettings {
    /// `postgres://user:password@host:port/database`
    pub url: String,
    /// What PostgreSQL shows for these connections (`pg_stat_activity.application_name`).
    pub application_name: String,
    /// How many connections. All are opened at the start and kept for good. Opening one takes tens of milliseconds, and
    /// is impossible while other programs use all of the server's slots.
    pub pool_size: u32,
}

/// Whether [`connect`] will take the settings.
///
/// # Errors
/// When the URL is not one of PostgreSQL.
pub fn check(settings: &DatabaseSettings) -> Result<(), DbErr> {
    let (url, _) = Password::split_off(&settings.url);
    let parsed = url.parse::<PgConnectOptions>();
    parsed.map(drop).map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))
}

/// A pool of connections with these limits. The pool is there at once, also while the database is away: it opens its
/// connections in the background. A connection that broke is replaced when it is needed.
///
/// # Errors
/// When the URL is not one of PostgreSQL.
pub async fn connect(settings: &DatabaseSettings) -> Result<DatabaseConnection, DbErr> {
    let milliseconds = |limit: Duration| limit.as_millis().to_string();
    let asked_for = [
        // The server's own default may be another isolation level. The code counts on this one.
        ("default_transaction_isolation", "read committed".to_owned()),
        ("lock_timeout", milliseconds(LOCK_TIMEOUT)),
        ("idle_in_transaction_session_timeout", milliseconds(IDLE_IN_TRANSACTION_TIMEOUT)),
        ("client_connection_check_interval", milliseconds(CLIENT_CHECK_INTERVAL)),
    ];

    let (url, password) = Password::split_off(&settings.url);
    let mut options = ConnectOptions::new(url);
    options
        .connect_lazy(true)
        .min_connections(settings.pool_size)
        .max_connections(settings.pool_size)
        // Without these two, sqlx opens the first connections at once rather than at its next inspection.
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .statement_timeout(STATEMENT_TIMEOUT)
        .test_before_acquire_if_idle_for(TEST_WHEN_IDLE_FOR)
        .set_application_name(&settings.application_name)
        .sqlx_logging(log::log_enabled!(target: "sqlx::query", log::Level::Debug))
        .sqlx_logging_level(log::LevelFilter::Debug)
        .map_sqlx_postgres_pool_opts(|pool| {
            pool.after_release(|connection, _| Box::pin(async { Ok(may_be_lent_again(connection).await) }))
        })
        .map_sqlx_postgres_opts(move |postgres| password.add_to(postgres).options(asked_for.clone()));
    Database::connect(options).await
}
