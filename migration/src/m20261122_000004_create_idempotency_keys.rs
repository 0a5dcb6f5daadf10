//! Keeps the answers to purchases that carried a key, so that the same key gets the same answer again.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared(
                "
                CREATE TABLE idempotency_keys (
                    key        text PRIMARY KEY,
                    -- What was asked for. The same key with another request is a mistake of the client's.
                    request    text NOT NULL,
                    -- The answer, as it was sent.
                    status     smallint NOT NULL,
                    body       text NOT NULL,
                    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
                );

                -- Old ones are deleted.
                CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
                ",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP TABLE idempotency_keys;").await?;
        Ok(())
    }
}
