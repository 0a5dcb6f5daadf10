//! Deletes expired idempotency keys and old refusals, again and again. Each replica does it: a key that is deleted already
//! does no harm.

use std::time::Duration;

use actix_web::web::Data;
use flash_sale_core::database_error::is_away;
use flash_sale_services::{ServiceError, StrategyService};

/// Idempotency keys expire after 24 hours, and are deleted within this time after that.
const BETWEEN_CLEANINGS: Duration = Duration::from_secs(600);

/// Deletes at the start, from time to time, and after many refusals.
pub async fn forget(strategies: Data<StrategyService>) {
    let mut interval = tokio::time::interval(BETWEEN_CLEANINGS);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = strategies.many_refusals() => {}
        }
        match strategies.forget_old_keys().await {
            Ok(count) => log::debug!("{count} idempotency keys were deleted"),
            // They are deleted the next time. `outage_log` says why the database is away, as soon as it matters.
            Err(ServiceError::Database(error)) if is_away(&error) => {
                log::debug!("old idempotency keys were not deleted: {error}");
            }
            Err(error) => log::warn!("old idempotency keys were not deleted: {error}"),
        }
    }
}
