//! An outage is said once, and once that it is over, however many requests meet it: a log of a thousand equal
//! lines hides what else happens. Each request's own line says its 503 all the same.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flash_sale_core::database_error::{is_away, sqlstate};
use flash_sale_core::limits::READY_TIMEOUT;
use flash_sale_services::ShopService;
use sea_orm::DbErr;
use tokio::sync::Notify;

/// How long all must be well before an outage is called over.
const QUIET: Duration = Duration::from_secs(1);
const BETWEEN_CHECKS: Duration = Duration::from_millis(250);

/// The kind of all errors that say that the database is away; the kind of any other is its SQLSTATE.
const AWAY: &str = "away";

/// One process is one replica, and has one database.
static LOG: LazyLock<OutageLog> = LazyLock::new(OutageLog::default);

#[derive(Default)]
struct OutageLog {
    outage: Mutex<Option<Outage>>,
    begun: Notify,
}

struct Outage {
    since: Instant,
    last: Instant,
    requests: u64,
    /// Each kind of error is said the first time.
    said: BTreeSet<String>,
}

/// Takes note of a request that was told to try again because of this error, and logs it if it is news.
pub fn report(error: &DbErr) {
    let kind = if is_away(error) { AWAY.to_owned() } else { sqlstate(error).unwrap_or_default() };
    if LOG.note(kind, 1) {
        log::warn!("the database can't do its part, and requests are told to try again: {error}");
    }
}

/// Says when the database is well again. Also says once at the start that it is waited for.
pub async fn watch(shop: ShopService) {
    if !shop.is_database_ready(READY_TIMEOUT).await && LOG.note(AWAY.to_owned(), 0) {
        log::warn!("the database does not answer yet. Until it does, requests are told to try again");
    }
    loop {
        LOG.begun.notified().await;
        while !(LOG.is_quiet() && shop.is_database_ready(READY_TIMEOUT).await) {
            tokio::time::sleep(BETWEEN_CHECKS).await;
        }
        LOG.end();
    }
}

impl OutageLog {
    /// Whether this kind of error is the first in this outage.
    fn note(&self, kind: String, requests: u64) -> bool {
        let mut outage = self.lock();
        let now = Instant::now();
        let outage = outage.get_or_insert_with(|| {
            self.begun.notify_one();
            Outage { since: now, last: now, requests: 0, said: BTreeSet::new() }
        });
        outage.last = now;
        outage.requests += requests;
        outage.said.insert(kind)
    }

    fn is_quiet(&self) -> bool {
        self.lock().as_ref().is_none_or(|outage| outage.last.elapsed() >= QUIET)
    }

    fn end(&self) {
        if let Some(outage) = self.lock().take() {
            let seconds = outage.since.elapsed().as_secs_f64();
            let requests = outage.requests;
            log::info!(
                "the database is well again after {seconds:.1} s; {requests} requests were told to try again"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Outage>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_is_news_once_in_an_outage() {
        let log = OutageLog::default();
        let note = |kind: &str| log.note(kind.to_owned(), 1);

        assert!(note("57P01"));
        assert!(!note("57P01"));
        assert!(note(AWAY));
        assert!(!log.is_quiet());

        log.end();
        assert!(log.is_quiet());
        assert!(note("57P01"), "the next outage is news again");
    }
}
