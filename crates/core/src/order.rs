//! An order: one copy sold.

use sea_orm::entity::prelude::*;

/// One row of `orders`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "orders")]
pub struct Model {
    /// Made by the database.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What was sold.
    pub product_id: Uuid,
    /// The replica that sold it.
    pub served_by: String,
    /// When the row was inserted, by the database's clock, to the microsecond.
    pub created_at: DateTimeUtc,
}

/// The order's product is read through its id; no join is needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
