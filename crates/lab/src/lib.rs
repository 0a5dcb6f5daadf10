//! The instruments around the shop. Nothing in the shop depends on this crate; tests do, for [`testing`].

pub mod guard;
pub mod log_file;
pub mod port;
pub mod postgres;
pub mod testing;
