//! The database's schema, in steps: each step has a file. Start with [`migrate`].

mod m20261122_000001_create_products_and_orders;
mod m20261122_000002_put_one_copy_on_sale;
mod m20261122_000003_add_what_strategies_need;
mod m20261122_000004_create_idempotency_keys;
mod m20261126_000005_tie_idempotency_keys_to_products;
mod m20261126_000006_index_kept_refusals;
mod m20261127_000007_create_holds;
mod m20261127_000008_create_stock_buckets;

mod connect;
mod shop_role;
mod wait;

pub use shop_role::{RIGHTS, ShopRoleError, admit_shop, shop_has_changed_itself};
pub use wait::wait_for_database;

use sea_orm_migration::prelude::*;

use connect::connect_and_lock;

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
            Box::new(m20261127_000007_create_holds::Migration),
            Box::new(m20261127_000008_create_stock_buckets::Migration),
        ]
    }
}

/// Brings the schema up to date. Does nothing when it is up to date already. Several processes may
/// call it at once.
///
/// # Errors
/// When the database can't be reached, or when a step fails. That step is then rolled back.
pub async fn migrate(database_url: &str) -> Result<(), DbErr> {
    let connection = connect_and_lock(database_url).await?;
    let result = Migrator::up(&connection, None).await;
    connection.close().await?;
    result
}

/// Takes back all steps. All products and orders go with them.
///
/// # Errors
/// The same as those of [`migrate`].
pub async fn migrate_down(database_url: &str) -> Result<(), DbErr> {
    let connection = connect_and_lock(database_url).await?;
    let result = Migrator::down(&connection, None).await;
    connection.close().await?;
    result
}
