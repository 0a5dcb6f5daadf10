//! What buyers note during a round. Each buyer has a tally, and the tallies are added up at the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use uuid::Uuid;

use crate::shop::told::Told;

/// Latencies up to a minute are told apart, in microseconds. No answer takes longer.
const LONGEST_MICROSECONDS: u64 = 60_000_000;
/// A latency is exact to a hundredth of itself. With another digit, thousands of buyers would fill a gigabyte.
const DIGITS: u8 = 2;

/// What buyers have noted.
pub struct Tally {
    /// The orders that buyers were told of.
    pub orders: Vec<Uuid>,
    /// How many of these were told before the round was over.
    pub in_time: u64,
    /// How long each buyer waited for the order, in microseconds.
    pub latency: Histogram<u64>,
    /// 409: answers that others were faster.
    pub conflicts: u64,
    /// 503: answers that the shop is too busy.
    pub busy: u64,
    /// Buyers who were told "Out of stock".
    pub refused: u64,
    /// Buyers who had still to ask again when the round was over.
    pub gave_up: u64,
    /// Buyers who got no answer at all.
    pub silent: u64,
    /// Purchases that were due and not sent, because no connection was free for too long.
    pub unsent: u64,
    /// What went wrong, and how often. The purchase may have been made all the same.
    pub failures: BTreeMap<String, u64>,
}

impl Default for Tally {
    fn default() -> Self {
        let latency = Histogram::new_with_bounds(1, LONGEST_MICROSECONDS, DIGITS);
        Self {
            orders: Vec::new(),
            in_time: 0,
            latency: latency.expect("the bounds are right"),
            conflicts: 0,
            busy: 0,
            refused: 0,
            gave_up: 0,
            silent: 0,
            unsent: 0,
            failures: BTreeMap::new(),
        }
    }
}

impl Tally {
    /// Notes a sale. The buyer waited since `due`; the round ends at `end`.
    pub fn note_sale(&mut self, order: Uuid, due: Instant, end: Instant) {
        let now = Instant::now();
        self.orders.push(order);
        self.in_time += u64::from(now <= end);
        self.latency.saturating_record(microseconds(now.saturating_duration_since(due)));
    }

    /// Notes an answer that is neither a sale nor a reason to ask again.
    pub fn note_failure(&mut self, told: &Told) {
        let what = match told {
            Told::OutOfStock => {
                self.refused += 1;
                return;
            }
            Told::NoAnswer(why) => {
                self.silent += 1;
                format!("no answer: {why}")
            }
            Told::Wrong(what) => what.clone(),
            _ => "503: the outcome is unknown".to_owned(),
        };
        *self.failures.entry(what).or_default() += 1;
    }

    /// How many purchases have an outcome that their buyers don't know.
    pub fn errors(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Adds another buyer's tally.
    pub fn add(&mut self, other: Self) {
        self.orders.extend(other.orders);
        self.in_time += other.in_time;
        self.latency.add(&other.latency).expect("all tallies have the same bounds");
        self.conflicts += other.conflicts;
        self.busy += other.busy;
        self.refused += other.refused;
        self.gave_up += other.gave_up;
        self.silent += other.silent;
        self.unsent += other.unsent;
        for (what, times) in other.failures {
            *self.failures.entry(what).or_default() += times;
        }
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(LONGEST_MICROSECONDS).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_counts_from_when_a_purchase_was_due_and_late_sales_are_no_throughput() {
        let now = Instant::now();
        let mut tally = Tally::default();

        tally.note_sale(Uuid::nil(), now - Duration::from_millis(250), now + Duration::from_secs(60));
        tally.note_sale(Uuid::nil(), now - Duration::from_millis(250), now - Duration::from_millis(1));

        assert_eq!((tally.orders.len(), tally.in_time), (2, 1));
        assert!(tally.latency.min() >= 247_000, "{}", tally.latency.min());
    }

    #[test]
    fn a_refusal_is_no_error_and_all_else_is_one() {
        let mut tally = Tally::default();
        let others =
            [Told::NoAnswer("reset".to_owned()), Told::OutcomeUnknown, Told::Wrong("500".to_owned())];

        for told in [Told::OutOfStock].iter().chain(&others) {
            tally.note_failure(told);
        }

        assert_eq!((tally.refused, tally.errors(), tally.silent), (1, 3, 1));
        let mut sum = Tally::default();
        sum.add(tally);
        assert_eq!((sum.refused, sum.errors(), sum.silent), (1, 3, 1));
    }
}
