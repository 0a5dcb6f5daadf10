//! What the shop shows of its products, its orders and a click on Buy Now.

use serde::Deserialize;
use uuid::Uuid;

/// A product, as the API shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Product {
    /// Its id.
    pub id: Uuid,
    /// Copies in stock.
    pub quantity: i64,
}

/// An order, as the API shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: Uuid,
    /// What was sold.
    pub product_id: Uuid,
    /// The replica that sold it.
    pub served_by: String,
}

/// One of the requests that a click on Buy Now made, as the page shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Attempt {
    /// "200 OK", "no answer".
    pub status: String,
    /// The replica that answered.
    pub served_by: String,
    /// Milliseconds until the answer.
    pub took_ms: u64,
}

/// The page's notice after a click or a reset, as it travels in its cookie.
#[derive(Deserialize)]
pub(super) enum Notice {
    Bought(Vec<Attempt>),
    WasReset { deleted_orders: u64 },
}

impl Attempt {
    /// The HTTP status; `None` when no answer came.
    pub fn status_code(&self) -> Option<u16> {
        self.status.split(' ').next()?.parse().ok()
    }
}
