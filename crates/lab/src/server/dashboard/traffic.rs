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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ended(seconds_ago: Option<i64>, outcome: Outcome, has_order: bool) -> Transaction {
        let now = Utc::now();
        Transaction {
            number: 1,
            replica: "replica-1".to_owned(),
            backend_pid: 1,
            began_at: now - TimeDelta::seconds(60),
            ended_at: seconds_ago.map(|seconds| now - TimeDelta::seconds(seconds)),
            outcome,
            order_id: has_order.then(|| Uuid::from_u128(1)),
            statements: Vec::new(),
            left_out: 0,
        }
    }

    #[test]
    fn each_ending_of_the_last_ten_seconds_is_counted_once() {
        let newest = [
            ended(Some(1), Outcome::Committed, true),
            ended(Some(2), Outcome::Committed, true),
            ended(Some(3), Outcome::Committed, false),
            ended(Some(8), Outcome::RolledBack, true),
            ended(Some(9), Outcome::Lost, true),
            ended(None, Outcome::Open, true),
            ended(Some(12), Outcome::Committed, true),
        ];

        let traffic = count(&newest, Utc::now(), WINDOW);

        let expected = Traffic { seconds: 10.0, purchases: 2, other_commits: 1, rolled_back: 1, lost: 1 };
        assert_eq!(traffic, expected);
        assert!((traffic.purchases_per_second() - 0.2).abs() < 1e-9);
    }

    #[test]
    fn when_older_ones_are_gone_only_the_time_of_those_that_are_kept_counts() {
        let newest = [ended(Some(1), Outcome::Committed, true), ended(Some(4), Outcome::Committed, true)];

        let covered = since_oldest(&newest, Utc::now());

        assert_eq!(covered.num_seconds(), 4);
    }
}
