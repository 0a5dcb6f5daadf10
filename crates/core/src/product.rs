//! A product: what the shop sells, and how many copies are left.

use sea_orm::entity::prelude::*;

/// One row of `products`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "products")]
pub struct Model {
    /// Made by the database.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The book's title.
    pub title: String,
    /// Who wrote it.
    pub author: String,
    /// The year it appeared.
    pub year: i32,
    /// In the shop's currency, two decimals.
    pub price: Decimal,
    /// Copies in stock. Below zero: oversold.
    pub quantity: i32,
    /// Counts the changes that the strategies make to this row.
    pub version: i32,
    /// When the row was made.
    pub created_at: DateTimeUtc,
}

/// A product has many orders; each names its product itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
