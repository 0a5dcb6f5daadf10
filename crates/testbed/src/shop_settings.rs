//! What a shop is told through its environment, and which of it may be passed on to a replica.

use std::collections::BTreeMap;

use flash_sale_core::secret::Secret;

/// What makes one shop differ from another. A copy of a shop must not take it over from where it was started.
pub const OF_ONE_SHOP: [&str; 16] = [
    "ALLOWED_HOSTS",
    "DATABASE_POOL_SIZE",
    "DATABASE_URL",
    "HOST",
    "MIGRATION_DATABASE_URL",
    "MIGRATION_PGPASSWORD",
    "ORDER_API_URL",
    "PGPASSWORD",
    "PORT",
    "RACE_WINDOW_MS",
    "REPLICA_NAME",
    "REPLICAS",
    "RETRY_AFTER_MS",
    "RETRY_WITH_IDEMPOTENCY_KEY",
    "RUST_LOG",
    "STATIC_DIR",
];

/// The shop's own variables, which the lab passes on as they are. No others reach a replica: where its database is, and
/// whatever a process takes from the environment by itself (PATH, LD_PRELOAD), is the lab's business.
pub const OWN_VARIABLES: [&str; 7] = [
    "ALLOWED_HOSTS",
    "RACE_WINDOW_MS",
    "RETRY_AFTER_MS",
    "RETRY_WITH_IDEMPOTENCY_KEY",
    "DATABASE_POOL_SIZE",
    "ORDER_API_URL",
    "RUST_LOG",
];

/// How to reach one database.
#[derive(Clone, Debug)]
pub struct DatabaseUrls {
    /// As the role that the shop works as.
    pub shop: Secret,
    /// As the role that owns the tables: the lab migrates and looks as that one. The same, unless it has been named.
    pub owner: Secret,
}

/// Variables of the shop that somebody has set, by name. The shop knows the defaults of the others.
pub type ShopVariables = BTreeMap<String, String>;

/// The first of `variables` that is none of the shop's own.
pub fn unknown_variable(variables: &ShopVariables) -> Option<&str> {
    variables.keys().map(String::as_str).find(|name| !OWN_VARIABLES.contains(name))
}
