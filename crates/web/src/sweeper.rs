//! Gives the copies of lapsed holds back, again and again. Each replica does it: the first one does the work, and
//! the others find nothing left to do.

use std::time::Duration;

use actix_web::web::Data;
use flash_sale_core::database_error::is_temporary;
use flash_sale_services::{ServiceError, StrategyService};
use tokio::time::MissedTickBehavior;

/// Sweeps at the start, and then once in each period.
pub async fn sweep(strategies: Data<StrategyService>, period: Duration) {
    let mut interval = tokio::time::interval(period);
    // After an outage, one sweep is enough.
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        match strategies.give_back_lapsed().await {
            Ok(0) => {}
            Ok(copies) => log::info!("holds have lapsed: {copies} copies are back in stock"),
            // The next sweep does it. `outage_log` says why the database is away, as soon as it matters.
            Err(ServiceError::Database(error)) if is_temporary(&error) => {
                log::debug!("lapsed holds were not swept: {error}");
            }
            Err(error) => log::warn!("lapsed holds were not swept: {error}"),
        }
    }
}
