//! Puts the shop's one book on sale, with the one copy that is left of it.

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
                INSERT INTO products (title, author, year, price, quantity)
                VALUES ('Napping Through Incidents', 'Lazy Bird', 2019, 9.99, 1);
                ",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DELETE FROM products;").await?;
        Ok(())
    }
}
