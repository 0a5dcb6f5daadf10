//! Queries on `orders`.

use flash_sale_core::order;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect};

use crate::stock_repository::statement;

/// The orders, seen through a connection or a transaction.
pub struct OrderRepository<'a, C> {
    connection: &'a C,
}

impl<'a, C: ConnectionTrait> OrderRepository<'a, C> {
    /// A repository that sends its queries through `connection`.
    pub fn new(connection: &'a C) -> Self {
        Self { connection }
    }

    /// The order, or `None`: `SELECT … WHERE id = $1`
    pub async fn get_by_id(&self, id: Uuid) -> Result<Option<order::Model>, DbErr> {
        order::Entity::find_by_id(id).one(self.connection).await
    }

    /// A new order of one copy, as the database stored it: `INSERT … RETURNING *`
    pub async fn create(&self, product_id: Uuid, served_by: &str) -> Result<order::Model, DbErr> {
        let order = order::ActiveModel {
            product_id: Set(product_id),
            served_by: Set(served_by.to_owned()),
            ..Default::default()
        };
        order.insert(self.connection).await
    }

    /// The newest orders of one product, newest first.
    pub async fn get_newest_of_product(
        &self,
        product_id: Uuid,
        limit: u64,
    ) -> Result<Vec<order::Model>, DbErr> {
        newest_first().filter(order::Column::ProductId.eq(product_id)).limit(limit).all(self.connection).await
    }

    /// The newest orders of all products, newest first.
    pub async fn get_newest(&self, limit: u64) -> Result<Vec<order::Model>, DbErr> {
        newest_first().limit(limit).all(self.connection).await
    }

    /// The orders older than `order`, newest first: the next page of [`Self::get_newest`].
    /// `SELECT … WHERE (created_at, id) < ($1, $2)`, which the index answers without counting rows.
    pub async fn get_older_than(&self, order: &order::Model, limit: u64) -> Result<Vec<order::Model>, DbErr> {
        let position = Expr::tuple([Expr::col(order::Column::CreatedAt), Expr::col(order::Column::Id)]);
        let end = Expr::tuple([Expr::value(order.created_at), Expr::value(order.id)]);
        newest_first().filter(position.lt(end)).limit(limit).all(self.connection).await
    }

    /// How many orders the product has: `SELECT count(*) …`
    pub async fn count_of_product(&self, product_id: Uuid) -> Result<u64, DbErr> {
        order::Entity::find().filter(order::Column::ProductId.eq(product_id)).count(self.connection).await
    }

    /// Deletes the product's orders, and with them what is kept for the keys of its purchases, refusals included.
    /// Returns how many orders there were: `WITH forgotten AS (DELETE …) DELETE … WHERE product_id = $1`
    ///
    /// One statement sees both tables at one moment, so a purchase that commits meanwhile keeps its order and its key,
    /// or loses both. Expired keys are left to [`IdempotencyKeyRepository::delete_expired`]: two transactions that
    /// delete the same rows in different orders would deadlock.
    ///
    /// [`IdempotencyKeyRepository::delete_expired`]: crate::IdempotencyKeyRepository::delete_expired
    pub async fn delete_of_product_with_keys(&self, product_id: Uuid) -> Result<u64, DbErr> {
        let sql = "WITH forgotten AS (
                       DELETE FROM idempotency_keys
                       WHERE product_id = $1 AND created_at > clock_timestamp() - interval '24 hours'
                   )
                   DELETE FROM orders WHERE product_id = $1";
        let deleted = self.connection.execute_raw(statement(sql, [product_id.into()])).await?;
        Ok(deleted.rows_affected())
    }
}

/// Sorted by the time of the insert. The id decides between equal times, so that pages neither skip nor repeat an
/// order.
fn newest_first() -> Select<order::Entity> {
    order::Entity::find().order_by_desc(order::Column::CreatedAt).order_by_desc(order::Column::Id)
}
