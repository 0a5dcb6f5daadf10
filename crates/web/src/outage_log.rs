//! Logs an outage once with its reason, and once more when it is over, however many requests meet it: a thousand equal
//! lines would hide all other lines. Each request's own line has its 503 all the same. A request that meets another
//! request, or its own time limit, is no outage: the database works.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use flash_sale_core::database_error::{Obstacle, is_away, obstacle, sqlstate};
use flash_sale_core::database_reason::{reason, why_unusable};
use flash_sale_core::limits::READY_TIMEOUT;
use flash_sale_services::ShopService;
use parking_lot::Mutex;
use sea_orm::{DatabaseConnection, DbErr};
use tokio::sync::Notify;

/// How long no request may fail before an outage counts as over, and before the same conflict is logged again.
const QUIET: Duration = Duration::from_secs(1);
const BETWEEN_CHECKS: Duration = Duration::from_millis(250);

/// One process is one replica, and has one database.
static LOG: LazyLock<OutageLog> = LazyLock::new(OutageLog::default);
static CONFLICTS: Mutex<Conflicts> = Mutex::new(Conflicts(BTreeMap::new()));

/// When a request has last met each kind of conflict or limit, by its SQLSTATE.
struct Conflicts(BTreeMap<String, Instant>);

#[derive(Default)]
struct OutageLog {
    outage: Mutex<Option<Outage>>,
    begun: Notify,
}

struct Outage {
    since: Instant,
    last: Instant,
    requests: u64,
    /// What was logged in this outage, so that it is not logged again: reasons, and SQLSTATEs.
    said: BTreeSet<String>,
    /// The error of a request that found the database away; `None` while the database seems to be there. The error may
    /// be only a consequence of the reason ("the pool timed out"), so it is not logged at once.
    away: Option<String>,
    /// Whether the log says why the database is away.
    is_explained: bool,
    /// Whether the database was the cause: it opened no new session, or refused to serve one.
    is_of_the_database: bool,
}

/// Takes note of a request that was told to try again because of this error. Logs the error if it is news. If the
/// database is away, [`watch`] finds the reason and logs that.
pub fn report(error: &DbErr) {
    if matches!(obstacle(error), Some(Obstacle::Conflict | Obstacle::Limit)) {
        let code = sqlstate(error).unwrap_or_default();
        let mut conflicts = CONFLICTS.lock();
        if conflicts.note(&code, Instant::now()) {
            log::warn!("a request is told to try again: {} (SQLSTATE {code})", reason(error));
        }
    } else if is_away(error) {
        LOG.note_away(reason(error), 1);
    } else if LOG.note(sqlstate(error).unwrap_or_default(), 1) {
        say(&reason(error));
    }
}

/// Logs why the database is away, each reason once in an outage, and when the database is back. There may be an outage
/// at the start already, before any request.
pub async fn watch(shop: ShopService, database: DatabaseConnection) {
    if !shop.is_database_ready(READY_TIMEOUT).await {
        LOG.note_away(no_answer(), 0);
    }
    let options = database.get_postgres_connection_pool().connect_options();
    loop {
        LOG.begun.notified().await;
        loop {
            if LOG.is_away() {
                match LOG.explain(why_unusable(&options).await) {
                    Some(News::Reason(reason)) => say(&reason),
                    Some(News::Met(met)) => {
                        log::warn!("requests are told to try again: {met}; but a new database session works")
                    }
                    None => {}
                }
            } else if LOG.is_quiet() {
                if shop.is_database_ready(READY_TIMEOUT).await {
                    break;
                }
                LOG.note_away(no_answer(), 0);
            }
            tokio::time::sleep(BETWEEN_CHECKS).await;
        }
        LOG.end();
    }
}

fn no_answer() -> String {
    format!("no answer in {} s", READY_TIMEOUT.as_secs())
}

fn say(reason: &str) {
    log::warn!("the database can't be used, and requests are told to try again: {reason}");
}

/// What is new about a database that is away.
#[derive(Debug, PartialEq, Eq)]
enum News {
    /// Why a new session can't be opened.
    Reason(String),
    /// The error of requests, when a new session has none: all connections were in use, for example.
    Met(String),
}

impl Conflicts {
    /// Whether it is news: no request has met the same for a while.
    fn note(&mut self, code: &str, now: Instant) -> bool {
        let last = self.0.insert(code.to_owned(), now);
        last.is_none_or(|last| now.duration_since(last) >= QUIET)
    }
}

impl OutageLog {
    /// Whether this is the first time in this outage.
    fn note(&self, said: String, requests: u64) -> bool {
        self.with_outage(requests, |outage| {
            outage.is_of_the_database = true;
            outage.said.insert(said)
        })
    }

    /// Notes that the database is away. [`watch`] asks for the reason.
    fn note_away(&self, met: String, requests: u64) {
        self.with_outage(requests, |outage| {
            outage.away.get_or_insert(met);
        });
    }

    fn is_away(&self) -> bool {
        self.outage.lock().as_ref().is_some_and(|outage| outage.away.is_some())
    }

    /// What to log, if it is news: the reason why a new session fails. If a new session works and no reason was
    /// logged, it is the error that a request met before.
    fn explain(&self, reason: Option<String>) -> Option<News> {
        let mut outage = self.outage.lock();
        let outage = outage.as_mut()?;
        outage.is_of_the_database |= reason.is_some();
        let (text, news): (_, fn(String) -> News) = match reason {
            Some(reason) => (reason, News::Reason),
            None => (outage.away.take().filter(|_| !outage.is_explained)?, News::Met),
        };
        outage.is_explained = true;
        outage.said.insert(text.clone()).then(|| news(text))
    }

    fn with_outage<T>(&self, requests: u64, change: impl FnOnce(&mut Outage) -> T) -> T {
        let mut outage = self.outage.lock();
        let now = Instant::now();
        let outage = outage.get_or_insert_with(|| {
            self.begun.notify_one();
            Outage {
                since: now,
                last: now,
                requests: 0,
                said: BTreeSet::new(),
                away: None,
                is_explained: false,
                is_of_the_database: false,
            }
        });
        outage.last = now;
        outage.requests += requests;
        change(outage)
    }

    fn is_quiet(&self) -> bool {
        self.outage.lock().as_ref().is_none_or(|outage| outage.last.elapsed() >= QUIET)
    }

    fn end(&self) {
        if let Some(outage) = self.outage.lock().take() {
            let seconds = outage.since.elapsed().as_secs_f64();
            let what = if outage.is_of_the_database { "the database" } else { "all" };
            let requests = match outage.requests {
                1 => "1 request was".to_owned(),
                requests => format!("{requests} requests were"),
            };
            log::info!("{what} is well again after {seconds:.1} s; {requests} told to try again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_is_news_once_in_an_outage() {
        let log = OutageLog::default();
        let note = |kind: &str| log.note(kind.to_owned(), 1);

        assert!(note("53100"));
        assert!(!note("53100"));
        assert!(note("25006"));
        assert!(!log.is_quiet());

        log.end();
        assert!(log.is_quiet());
        assert!(note("53100"), "the next outage is news again");
    }

    #[test]
    fn each_kind_of_conflict_is_news_when_nobody_has_met_it_for_a_while() {
        let mut conflicts = Conflicts(BTreeMap::new());
        let begun = Instant::now();
        let mut note = |code, milliseconds| conflicts.note(code, begun + Duration::from_millis(milliseconds));

        assert!(note("40001", 0));
        assert!(!note("40001", 900));
        assert!(note("55P03", 900));
        assert!(!note("40001", 1800), "it was met 900 ms ago");
        assert!(note("40001", 2800));
    }

    #[test]
    fn the_reason_is_news_and_what_follows_from_it_is_not() {
        let log = OutageLog::default();
        let explain = |reason: Option<&str>| match log.explain(reason.map(str::to_owned)) {
            Some(News::Reason(reason)) => Some(reason),
            other => other.map(|_| "what was met".to_owned()),
        };
        log.note_away("the pool timed out".to_owned(), 1);

        assert_eq!(explain(Some("refused")).as_deref(), Some("refused"));
        assert_eq!(explain(Some("refused")), None);
        assert_eq!(explain(Some("starting up")).as_deref(), Some("starting up"));
        assert_eq!(explain(Some("refused")), None);
        assert!(log.is_away());
        assert_eq!(explain(None), None);
        assert!(!log.is_away());

        log.end();
        log.note_away("refused".to_owned(), 1);
        assert_eq!(explain(Some("refused")).as_deref(), Some("refused"), "the next outage is news again");
    }

    #[test]
    fn what_was_met_is_news_when_a_new_session_meets_nothing() {
        let log = OutageLog::default();
        log.note("53100".to_owned(), 1);
        log.note_away("the session was ended".to_owned(), 1);

        assert_eq!(log.explain(None), Some(News::Met("the session was ended".to_owned())));
        log.note_away("the session was ended".to_owned(), 1);
        assert_eq!(log.explain(None), None);
    }
}
