//! The JSON API, a file for each resource.

pub mod health;
pub mod orders;
pub mod products;
pub mod reset;
pub mod strategies;
