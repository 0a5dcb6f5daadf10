//! `migrate`: brings the schema of `DATABASE_URL` up to date, for deployments that don't use the lab.

use std::path::Path;

use anyhow::Context;
use flash_sale_core::environment;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    environment::load_dotenv(Path::new("."))?;
    env_logger::Builder::new()
        .parse_filters(&environment::text("RUST_LOG", "info,sqlx::postgres::notice=warn")?)
        .init();

    let database_url =
        environment::required_text("DATABASE_URL", "postgres://user:password@host:port/database")?;
    flash_sale_migration::migrate(&database_url).await.context("the migration failed")?;
    log::info!("the schema is up to date");
    Ok(())
}
