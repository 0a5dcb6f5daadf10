//! Questions to the database and changes of it: each method is one query. The caller chooses whether it runs on a pool
//! or within a transaction. Start with [`ProductRepository`].

mod bucket_repository;
mod hold_repository;
mod idempotency_key_repository;
mod order_repository;
mod product_repository;
mod stock_repository;
mod unit_repository;

pub use bucket_repository::{BucketCount, BucketRepository};
pub use hold_repository::{HeldStock, HoldRepository, NewHold};
pub use idempotency_key_repository::{IdempotencyKeyRepository, IdempotencyRecord};
pub use order_repository::OrderRepository;
pub use product_repository::ProductRepository;
pub use stock_repository::{GuardedStock, StockInRows, StockRepository};
pub use unit_repository::{UnitCount, UnitRepository};
