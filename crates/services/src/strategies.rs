//! Fourteen ways to sell the last copies to a crowd, one file each, all of the same shape. They are answers to the
//! exercise: look for your own first. Begin with `unlocked`, and compare the others with it.

mod advisory_lock;
mod atomic_update;
mod batched;
mod bulkhead;
mod check_constraint;
mod ending;
mod no_key_update;
mod nowait;
mod optimistic;
mod pessimistic;
mod reservation;
mod retry;
mod sale;
mod serializable;
mod service;
mod single_statement;
mod skip_locked;
mod stock_buckets;
mod unlocked;

pub use service::StrategyService;
