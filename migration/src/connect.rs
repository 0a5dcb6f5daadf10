//! Opens a connection that only the migration uses.

use flash_sale_core::database_url::Password;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectOptions, Database, DatabaseConnection};

/// Every process that migrates takes this PostgreSQL advisory lock first. Any number will do, as long as
/// it never changes.
const MIGRATION_LOCK: i64 = 0x0f1a_5b5a_1e00;

/// The longest wait for that lock, and for the locks of the tables.
const LOCK_TIMEOUT: &str = "60s";

/// A pool of exactly one connection, so that the session which holds the lock is the one that migrates.
/// Closing it releases the lock.
pub(crate) async fn connect_and_lock(database_url: &str) -> Result<DatabaseConnection, DbErr> {
    let (url, password) = Password::split_off(database_url);
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false).set_application_name("migration");
    options.map_sqlx_postgres_opts(move |postgres| password.add_to(postgres));
    let connection = Database::connect(options).await?;
    connection.execute_unprepared(&format!("SET lock_timeout = '{LOCK_TIMEOUT}'")).await?;
    connection.execute_unprepared(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).await?;
    Ok(connection)
}
