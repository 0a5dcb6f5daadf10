//! Says of each key which product its purchase is of, so that a reset finds the keys that it has to forget.

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
                -- `request` begins with the product's id. Generated from it, the column is there for the rows of
                -- before too, and for those of replicas that run on until they are replaced. No foreign key:
                -- that there is no such product is an answer as well, and a refusal would wait for whoever has
                -- locked the product.
                ALTER TABLE idempotency_keys
                    ADD COLUMN product_id uuid NOT NULL
                        GENERATED ALWAYS AS (split_part(request, ' ', 1)::uuid) STORED;

                CREATE INDEX idempotency_keys_product_id_idx ON idempotency_keys (product_id);
                ",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "ALTER TABLE idempotency_keys DROP COLUMN product_id;";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }
}
