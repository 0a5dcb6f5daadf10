//! Creates the two tables. This file is frozen: to change the schema, add a later migration.

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
                CREATE TABLE products (
                    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
                    title      text NOT NULL,
                    author     text NOT NULL,
                    year       integer NOT NULL,
                    price      numeric(10, 2) NOT NULL,
                    quantity   integer NOT NULL,
                    version    integer NOT NULL DEFAULT 0,
                    created_at timestamptz NOT NULL DEFAULT now()
                );

                -- clock_timestamp(), not now(): now() is the moment the transaction began,
                -- and two orders are told apart by the moment each was inserted.
                CREATE TABLE orders (
                    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
                    product_id uuid NOT NULL REFERENCES products ON DELETE CASCADE,
                    served_by  text NOT NULL,
                    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
                );

                CREATE INDEX orders_product_id_idx ON orders (product_id);
                CREATE INDEX orders_newest_first_idx ON orders (created_at DESC, id DESC);
                ",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP TABLE orders; DROP TABLE products;").await?;
        Ok(())
    }
}
