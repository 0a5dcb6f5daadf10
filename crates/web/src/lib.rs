//! The shop as a web application: server-rendered pages and a JSON API. Start with [`routes`].

mod api;
mod checkout;
mod endpoint;
pub mod healthcheck;
mod idempotency_key;
mod json_body;
pub mod logger;
mod middleware;
mod notice;
mod old_keys;
pub mod openapi;
mod outage_log;
mod pages;
mod problem;
mod query_string;
mod replica_name;
mod request_id;
pub mod routes;
pub mod server;
pub mod settings;
mod sweeper;
mod view;
mod worker;
