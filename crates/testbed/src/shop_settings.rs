//! The variables through which a shop is told its settings, and which of them may be passed on to a replica.

use std::collections::BTreeMap;

use flash_sale_core::secret::Secret;

/// The variables that make one shop differ from another. A copy of a shop must not take them over from the place where
/// it was started.
pub const OF_ONE_SHOP: [&str; 21] = [
    "ALLOWED_HOSTS",
    "DASHBOARD_PORT",
    "DATABASE_POOL_SIZE",
    "DATABASE_URL",
    "HOLD_MS",
    "HOLD_SWEEP_MS",
    "HOST",
    "MIGRATION_DATABASE_URL",
    "MIGRATION_PGPASSWORD",
    "ORDER_API_URL",
    "PAYMENT_FAILS_PERCENT",
    "PGPASSWORD",
    "PORT",
    "RACE_WINDOW_MS",
    "REPLICA_NAME",
    "REPLICAS",
    "RETRY_AFTER_MS",
    "RETRY_WITH_IDEMPOTENCY_KEY",
    "RUST_LOG",
    "STATIC_DIR",
    "WIRETAP",
];

/// The shop's own variables. The lab passes them on as they are. No others reach a replica. The lab alone decides where
/// the database is, and about the variables that any process reads by itself (PATH, LD_PRELOAD).
pub const OWN_VARIABLES: [&str; 10] = [
    "ALLOWED_HOSTS",
    "RACE_WINDOW_MS",
    "RETRY_AFTER_MS",
    "RETRY_WITH_IDEMPOTENCY_KEY",
    "HOLD_MS",
    "HOLD_SWEEP_MS",
    "PAYMENT_FAILS_PERCENT",
    "DATABASE_POOL_SIZE",
    "ORDER_API_URL",
    "RUST_LOG",
];

/// How to reach one database.
#[derive(Clone, Debug)]
pub struct DatabaseUrls {
    /// The URL for the role that the shop works as.
    pub shop: Secret,
    /// The URL for the role that owns the tables. The lab migrates and looks as this role. It is the same role unless
    /// another one has been named.
    pub owner: Secret,
}

/// The variables of the shop that somebody has set, by name. The shop knows the defaults of the others.
pub type ShopVariables = BTreeMap<String, String>;

/// The first of `variables` that is not one of the shop's own.
pub fn unknown_variable(variables: &ShopVariables) -> Option<&str> {
    variables.keys().map(String::as_str).find(|name| !OWN_VARIABLES.contains(name))
}
