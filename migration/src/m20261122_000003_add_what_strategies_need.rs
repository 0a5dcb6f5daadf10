//! Adds what two strategies need of a product: a column and a table. The shop's one book uses
//! neither, so nothing changes for it.

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
                -- For check_constraint. It binds only products that opt in: the book must stay able to
                -- oversell.
                ALTER TABLE products
                    ADD COLUMN refuses_oversell boolean NOT NULL DEFAULT false,
                    ADD CONSTRAINT products_refuse_oversell_when_opted_in
                        CHECK (NOT refuses_oversell OR quantity >= 0);

                -- For skip_locked: a row for each copy. Of a product that has units, the stock is the number
                -- of those without an order, and products.quantity stays 0, so that nothing else sells it too.
                CREATE TABLE units (
                    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                    product_id uuid NOT NULL REFERENCES products ON DELETE CASCADE,
                    -- An order that is deleted gives its copy back. UNIQUE: an order takes one copy.
                    order_id   uuid UNIQUE REFERENCES orders ON DELETE SET NULL
                );

                CREATE INDEX units_product_id_idx ON units (product_id);
                CREATE INDEX units_unsold_idx ON units (product_id, id) WHERE order_id IS NULL;
                ",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "DROP TABLE units; ALTER TABLE products DROP COLUMN refuses_oversell;";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }
}
