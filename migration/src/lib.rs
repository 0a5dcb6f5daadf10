//! The schema, one file a step. Start with [`migrate`].

mod m20261122_000001_create_products_and_orders;
mod m20261122_000002_put_one_copy_on_sale;
mod m20261122_000003_add_what_strategies_need;
mod m20261122_000004_create_idempotency_keys;
mod m20261126_000005_tie_idempotency_keys_to_products;
mod m20261126_000006_index_kept_refusals;

mod shop_role;
mod wait;

pub use shop_role::{RIGHTS, ShopRoleError, admit_shop, shop_has_changed_itself};
pub use wait::wait_for_database;

use flash_sale_core::database_url::Password;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectOptions, Database, DatabaseConnection};

/// Every process that migrates takes this PostgreSQL advisory lock first. Any number does, as long as it
/// never changes.
const MIGRATION_LOCK: i64 = 0x0f1a_5b5a_1e00;

/// Longest wait for that lock, and for those of the tables.
const LOCK_TIMEOUT: &str = "60s";

/// The steps, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_create_products_and_orders::Migration),
            Box::new(m20261122_000002_put_one_copy_on_sale::Migration),
            Box::new(m20261122_000003_add_what_strategies_need::Migration),
            Box::new(m20261122_000004_create_idempotency_keys::Migration),
            Box::new(m20261126_000005_tie_idempotency_keys_to_products::Migration),
            Box::new(m20261126_000006_index_kept_refusals::Migration),
        ]
    }
}

/// Brings the schema up to date. Does nothing when it is; safe when several processes call it at once.
///
/// # Errors
/// When the database is away, or a step fails (that step is then rolled back).
pub async fn migrate(database_url: &str) -> Result<(), DbErr> {
    let connection = connect_and_lock(database_url).await?;
    let result = Migrator::up(&connection, None).await;
    connection.close().await?;
    result
}

/// Takes back all steps, and with them all products and orders.
///
/// # Errors
/// As [`migrate`].
pub async fn migrate_down(database_url: &str) -> Result<(), DbErr> {
    let connection = connect_and_lock(database_url).await?;
    let result = Migrator::down(&connection, None).await;
    connection.close().await?;
    result
}

/// A pool of exactly one connection, so that the session which holds the lock is the one that migrates.
/// Closing it releases the lock.
async fn connect_and_lock(database_url: &str) -> Result<DatabaseConnection, DbErr> {
    let (url, password) = Password::split_off(database_url);
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false).set_application_name("migration");
    options.map_sqlx_postgres_opts(move |postgres| password.add_to(postgres));
    let connection = Database::connect(options).await?;
    connection.execute_unprepared(&format!("SET lock_timeout = '{LOCK_TIMEOUT}'")).await?;
    connection.execute_unprepared(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).await?;
    Ok(connection)
}
