//! How rows look from outside. An entity never leaves the shop as it is.

use chrono::{DateTime, SecondsFormat, Utc};
use flash_sale_core::{order, product};
use flash_sale_services::Reset;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

/// A product, as JSON.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductView {
    id: Uuid,
    #[schema(example = "Napping Through Incidents")]
    title: String,
    #[schema(example = "Lazy Bird")]
    author: String,
    #[schema(example = 2019)]
    year: i32,
    #[serde(with = "rust_decimal::serde::float")]
    #[schema(value_type = f64, example = 9.99)]
    price: Decimal,
    /// Copies in stock.
    #[schema(example = 1)]
    quantity: i32,
}

impl From<product::Model> for ProductView {
    fn from(product: product::Model) -> Self {
        Self {
            id: product.id,
            title: product.title,
            author: product.author,
            year: product.year,
            price: product.price,
            quantity: product.quantity,
        }
    }
}

/// An order, as JSON.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderView {
    id: Uuid,
    product_id: Uuid,
    /// By the database's clock, to the microsecond.
    #[serde(serialize_with = "to_the_microsecond")]
    #[schema(example = "2026-11-22T17:17:00.916123Z")]
    created_at: DateTime<Utc>,
    /// The replica that sold it.
    #[schema(example = "replica-1")]
    served_by: String,
}

impl From<order::Model> for OrderView {
    fn from(order: order::Model) -> Self {
        Self {
            id: order.id,
            product_id: order.product_id,
            created_at: order.created_at,
            served_by: order.served_by,
        }
    }
}

/// What a reset did, as JSON.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResetView {
    #[schema(example = 2)]
    deleted_orders: u64,
    /// Copies in stock now.
    #[schema(example = 1)]
    quantity_reset_to: i32,
}

impl From<Reset> for ResetView {
    fn from(reset: Reset) -> Self {
        Self { deleted_orders: reset.deleted_orders, quantity_reset_to: reset.quantity }
    }
}

/// The first eight digits of an id: enough for a person to tell orders apart.
pub fn short_id(id: Uuid) -> String {
    id.simple().to_string()[..8].to_owned()
}

/// Always six decimals, so that times of one length compare as text.
fn to_the_microsecond<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}
