//! What every other crate stands on: the entities, the way to connect, the environment.
//! Start with [`product`] and [`order`].

pub mod allowed_hosts;
pub mod database;
pub mod database_error;
pub mod database_reason;
pub mod database_url;
pub mod dotenv;
pub mod environment;
pub mod limits;
pub mod order;
pub mod product;
mod released_connection;
pub mod secret;
