//! Queries on `stock_buckets`: products whose stock is spread over several rows.

use sea_orm::FromQueryResult;
use sea_orm::prelude::*;

use crate::stock_repository::statement;

/// The buckets, seen through a connection or a transaction.
pub struct BucketRepository<'a, C> {
    connection: &'a C,
}

/// The buckets of a product, as one snapshot shows them.
#[derive(Debug, PartialEq, Eq, FromQueryResult)]
pub struct BucketCount {
    /// Copies in all of them together, also those that somebody is just buying.
    pub quantity: i64,
    /// How many buckets the product has, also empty ones.
    pub buckets: i64,
}

impl<'a, C: ConnectionTrait> BucketRepository<'a, C> {
    /// A repository that sends its queries through `connection`.
    pub fn new(connection: &'a C) -> Self {
        Self { connection }
    }

    /// Takes one copy from a bucket at random, and says whether: `UPDATE … WHERE quantity > 0 AND number = (SELECT …)`
    ///
    /// The SELECT chooses one of the buckets that are not empty. Each has the same chance. If another transaction has
    /// just changed that bucket, the UPDATE waits for it, and then looks at `quantity > 0` again. So it takes nothing
    /// when all buckets are empty, and also when the chosen bucket has been emptied meanwhile.
    pub async fn take_copy(&self, product_id: Uuid) -> Result<bool, DbErr> {
        let sql = "UPDATE stock_buckets SET quantity = quantity - 1
                   WHERE product_id = $1 AND quantity > 0 AND number = (
                       SELECT (array_agg(number ORDER BY number))[1 + floor(random() * count(*))::int]
                       FROM stock_buckets WHERE product_id = $1 AND quantity > 0)";
        let updated = self.connection.execute_raw(statement(sql, [product_id.into()])).await?;
        Ok(updated.rows_affected() == 1)
    }

    /// How many copies and buckets the product has: `SELECT sum(quantity) AS quantity, count(*) AS buckets …`
    ///
    /// A bucket from which another transaction takes its last copy is not empty before that transaction has committed.
    pub async fn count_of_product(&self, product_id: Uuid) -> Result<BucketCount, DbErr> {
        let sql = "SELECT coalesce(sum(quantity), 0) AS quantity, count(*) AS buckets
                   FROM stock_buckets WHERE product_id = $1";
        let count = BucketCount::find_by_statement(statement(sql, [product_id.into()]));
        Ok(count.one(self.connection).await?.expect("an aggregate always has its one row"))
    }
}
