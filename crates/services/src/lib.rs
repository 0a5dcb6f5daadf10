//! What the shop does, and the only crate that begins and ends transactions.
//! Start with [`OrderService::create_order`].

mod error;
mod order_service;
mod payment;
mod shop_service;

pub use error::ServiceError;
pub use order_service::OrderService;
pub use payment::PaymentProvider;
pub use shop_service::{Reset, ShopService, ShopWindow};
