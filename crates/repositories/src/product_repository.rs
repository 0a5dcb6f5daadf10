//! Queries on `products`.

use flash_sale_core::product;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{QueryOrder, QuerySelect};

/// The products, seen through a connection or a transaction.
pub struct ProductRepository<'a, C> {
    connection: &'a C,
}

impl<'a, C: ConnectionTrait> ProductRepository<'a, C> {
    /// A repository that sends its queries through `connection`.
    pub fn new(connection: &'a C) -> Self {
        Self { connection }
    }

    /// The product, or `None`: `SELECT … WHERE id = $1 LIMIT 1`
    pub async fn get_by_id(&self, id: Uuid) -> Result<Option<product::Model>, DbErr> {
        product::Entity::find_by_id(id).one(self.connection).await
    }

    /// The product, or `None`. Its row stays locked until the transaction ends:
    /// `SELECT … WHERE id = $1 LIMIT 1 FOR UPDATE`
    pub async fn get_by_id_for_update(&self, id: Uuid) -> Result<Option<product::Model>, DbErr> {
        product::Entity::find_by_id(id).lock_exclusive().one(self.connection).await
    }

    /// The read that a purchase is decided on.
    pub async fn get_for_purchase(&self, id: Uuid) -> Result<Option<product::Model>, DbErr> {
        self.get_by_id(id).await
    }

    /// The book in the shop's window: the product that has been there longest.
    pub async fn get_featured(&self) -> Result<Option<product::Model>, DbErr> {
        product::Entity::find()
            .order_by_asc(product::Column::CreatedAt)
            .order_by_asc(product::Column::Id)
            .one(self.connection)
            .await
    }

    /// Takes one copy out of stock: `UPDATE … SET quantity = quantity - 1`
    pub async fn decrement_quantity(&self, id: Uuid) -> Result<(), DbErr> {
        product::Entity::update_many()
            .col_expr(product::Column::Quantity, Expr::col(product::Column::Quantity).sub(1))
            .filter(product::Column::Id.eq(id))
            .exec(self.connection)
            .await?;
        Ok(())
    }

    /// Puts `quantity` copies in stock, whatever was there: `UPDATE … SET quantity = $1`
    pub async fn set_quantity(&self, id: Uuid, quantity: i32) -> Result<(), DbErr> {
        product::Entity::update_many()
            .col_expr(product::Column::Quantity, quantity.into())
            .filter(product::Column::Id.eq(id))
            .exec(self.connection)
            .await?;
        Ok(())
    }
}
