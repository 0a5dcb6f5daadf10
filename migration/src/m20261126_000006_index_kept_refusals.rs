//! Adds an index of the refusals that are kept for keys. All but the newest refusals are deleted. The clients
//! decide how many refusals there are.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "CREATE INDEX idempotency_keys_refusals_idx ON idempotency_keys (created_at) WHERE status <> 200;";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX idempotency_keys_refusals_idx;").await?;
        Ok(())
    }
}
