//! Counts the transactions that have just ended, as the wiretap saw them.

use chrono::{DateTime, TimeDelta, Utc};
use flash_sale_dashboard::shop_state::Traffic;
use flash_sale_wiretap::Recorder;
use flash_sale_wiretap::trace::{Outcome, Transaction};

/// So far back.
const WINDOW: TimeDelta = TimeDelta::seconds(10);
/// How many transactions are asked for first. Reading one takes time, so no more are read than are needed.
const FIRST: usize = 256;
/// The wiretap keeps so many. When there are as many, older ones of the ten seconds may be gone.
const KEPT: usize = 10_000;

/// The last ten seconds.
pub(super) fn of(recorder: &Recorder) -> Traffic {
    let now = Utc::now();
    let mut limit = FIRST;
    loop {
        let newest = recorder.transactions(limit);
        // The newest one began last. One that began before it may end after it, but not much later: a request has a
        // time limit.
        let goes_back = newest.last().is_some_and(|oldest| oldest.began_at < now - WINDOW - WINDOW);
        if goes_back || newest.len() < limit {
            let covered = if newest.len() < KEPT { WINDOW } else { since_oldest(&newest, now).min(WINDOW) };
            return count(&newest, now, covered);
        }
        limit *= 4;
    }
}

fn since_oldest(newest: &[Transaction], now: DateTime<Utc>) -> TimeDelta {
    newest.iter().filter_map(|transaction| transaction.ended_at).min().map_or(WINDOW, |oldest| now - oldest)
}

fn count(newest: &[Transaction], now: DateTime<Utc>, window: TimeDelta) -> Traffic {
    let mut traffic = Traffic { seconds: window.as_seconds_f64(), ..Traffic::default() };
    let ended = |transaction: &&Transaction| transaction.ended_at.is_some_and(|at| at > now - window);
    for transaction in newest.iter().filter(ended) {
        match transaction.outcome {
            Outcome::Committed if transaction.order_id.is_some() => traffic.purchases += 1,
            Outcome::Committed => traffic.other_commits += 1,
            Outcome::RolledBack => traffic.rolled_back += 1,
            Outcome::Lost => traffic.lost += 1,
            Outcome::Open => {}
        }
    }
    traffic
}
