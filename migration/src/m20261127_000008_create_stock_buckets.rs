//! Adds the table of stock buckets, for the strategy `stock_buckets`. The shop's one book has none.

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
                -- The stock of one product, in several rows, so that buyers rarely want the same row. The stock of a
                -- product that has buckets is their sum, and products.quantity is 0, so that nothing else sells it too.
                CREATE TABLE stock_buckets (
                    product_id uuid NOT NULL REFERENCES products ON DELETE CASCADE,
                    -- From 1.
                    number     int NOT NULL,
                    quantity   int NOT NULL CHECK (quantity >= 0),
                    PRIMARY KEY (product_id, number)
                -- A page that is half empty has room for the next versions of its rows, so no index must be changed.
                ) WITH (fillfactor = 50);

                -- Moves all copies of a product into so many buckets, as evenly as possible. A product that has buckets
                -- already may be spread again after its quantity was raised. A purchase that runs is waited for. It may
                -- still have to insert its order, and FOR UPDATE would hold up the order's foreign key: a deadlock.
                CREATE FUNCTION spread_stock(product uuid, buckets int) RETURNS void LANGUAGE sql AS $$
                    SELECT FROM products WHERE id = product FOR NO KEY UPDATE;
                    INSERT INTO stock_buckets (product_id, number, quantity)
                    SELECT id, number, quantity / buckets + CASE WHEN number <= quantity % buckets THEN 1 ELSE 0 END
                    FROM products, generate_series(1, buckets) AS number WHERE id = product
                    ON CONFLICT (product_id, number)
                    DO UPDATE SET quantity = stock_buckets.quantity + excluded.quantity;
                    UPDATE products SET quantity = 0, version = version + 1
                    WHERE id = product AND buckets > 0;
                $$;
                ",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The copies go back: without the table, nobody would know of them.
        let sql = "UPDATE products SET quantity = products.quantity + spread.copies
                   FROM (SELECT product_id, sum(quantity)::int AS copies FROM stock_buckets GROUP BY product_id) AS spread
                   WHERE products.id = spread.product_id;
                   DROP FUNCTION spread_stock; DROP TABLE stock_buckets;";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }
}
