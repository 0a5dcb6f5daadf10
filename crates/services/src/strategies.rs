//! Twelve ways to sell the last copies to a crowd, one file each, all of the same shape. Read `unlocked`
//! first: the others differ from it in what they lock or check.

mod advisory_lock;
mod atomic_update;
mod batched;
mod check_constraint;
mod ending;
mod no_key_update;
mod nowait;
mod optimistic;
mod pessimistic;
mod retry;
mod sale;
mod serializable;
mod service;
mod single_statement;
mod skip_locked;
mod unlocked;

pub use service::StrategyService;
