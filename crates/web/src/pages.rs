//! The pages and the forms on them, a file for each.

pub mod buy;
pub mod docs;
pub mod error;
pub mod reset;
pub mod shop;
