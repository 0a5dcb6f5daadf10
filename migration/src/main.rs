//! `migrate`: brings the schema up to date, for deployments that don't use the lab. It works as the role of
//! `MIGRATION_DATABASE_URL`. That role then owns the schema, and lets the role of `DATABASE_URL` in. Without
//! `MIGRATION_DATABASE_URL`, it works as the role of `DATABASE_URL`.

use std::path::Path;

use anyhow::Context;
use flash_sale_core::{database_url, environment};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    environment::prepare(Path::new("."))?;
    env_logger::Builder::new()
        .parse_filters(&environment::text("RUST_LOG", "info,sqlx::postgres::notice=warn")?)
        .init();

    let shop_url = database_url::required_database_url()?;
    let (owner_url, name) = match database_url::migration_database_url()? {
        Some(url) => (url, "MIGRATION_DATABASE_URL"),
        None => (shop_url.clone(), "DATABASE_URL"),
    };
    flash_sale_migration::wait_for_database(&owner_url, name, |line| log::info!("{line}")).await?;
    flash_sale_migration::migrate(&owner_url).await.context("the migration failed")?;
    log::info!("the schema is up to date");
    for left in flash_sale_migration::admit_shop(&owner_url, &shop_url).await? {
        log::warn!("{left}");
    }
    Ok(())
}
