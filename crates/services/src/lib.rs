//! What the shop does, and the only crate that begins and ends transactions.
//! Start with [`OrderService::create_order`]. Read [`strategies`] afterwards: it has other ways
//! to sell.

pub mod begin;
pub mod commit;
mod error;
mod failure;
pub mod idempotency;
pub mod log_context;
mod order_service;
mod payment;
mod queue;
mod shared_read;
mod shop_service;
pub mod strategies;
mod strategy;
mod till_database;

pub use error::ServiceError;
pub use idempotency::IdempotencyKey;
pub use order_service::OrderService;
pub use payment::PaymentProvider;
pub use shop_service::{Reset, ShopService, ShopWindow};
pub use strategies::StrategyService;
pub use strategy::Strategy;
pub use till_database::TillDatabase;
