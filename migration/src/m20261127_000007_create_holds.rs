//! Adds the table of holds, for the strategy `reservation`. The shop's one book has no hold until somebody reserves it.

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
                -- A copy that is out of stock and not sold yet: its buyer pays. The stock of a product and its holds
                -- and orders together are always what was there at first.
                CREATE TABLE holds (
                    -- The replica makes the id up, so that it can give the copy back also when it has lost the answer.
                    id         uuid PRIMARY KEY,
                    product_id uuid NOT NULL REFERENCES products ON DELETE CASCADE,
                    -- The Idempotency-Key of the purchase, if it has one. UNIQUE: a purchase holds one copy.
                    key        text UNIQUE,
                    -- Until then the hold can be confirmed. After that, its copy goes back into stock.
                    expires_at timestamptz NOT NULL
                );

                CREATE INDEX holds_product_id_idx ON holds (product_id);
                CREATE INDEX holds_expires_at_idx ON holds (expires_at);
                ",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The copies of open holds go back: without the table, nobody would know of them.
        let sql = "UPDATE products SET quantity = quantity + held.copies
                   FROM (SELECT product_id, count(*) AS copies FROM holds GROUP BY product_id) AS held
                   WHERE products.id = held.product_id;
                   DROP TABLE holds;";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }
}
