//! What came of the interleavings of two purchases, in figures and in words. `interleavings.rs` plays them.

use flash_sale_diagnosis::Purchase;
use serde::Serialize;

use crate::wording::counted;

/// What came of the interleavings.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Interleavings {
    /// How many were played.
    pub schedules: usize,
    /// Whether there is no other one.
    pub complete: bool,
    /// In how many there was one order at the end, and stock 0.
    pub sold_once: usize,
    /// In how many more copies were sold than there were.
    pub oversold: usize,
    /// In how many a buyer was told "Out of stock", and a copy was left.
    pub lost_sales: usize,
    /// In how many stock and orders together were not what they had been.
    pub unconserved: usize,
    /// In how many an answer was not true.
    pub dishonest: usize,
    /// In how many a request failed (5xx).
    pub failed: usize,
    /// In how many PostgreSQL ended a deadlock.
    pub deadlocked: usize,
    /// In how many a statement waited for the other purchase's lock.
    pub waited: usize,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The letters of one that breaks a rule: which purchase goes on at each step.
    pub counterexample: Option<String>,
    /// The arguments that a replay of the counterexample needs, with a space before each.
    #[serde(skip)]
    pub replay_arguments: &'static str,
    /// The statements of the counterexample, in words.
    #[serde(skip)]
    pub steps: Option<String>,
    /// Two purchases as they were played in the interleaving that tells the most.
    #[serde(skip)]
    pub purchases: Vec<Purchase>,
    /// Whether a replica that gets two purchases at once lets only one of them get to the database.
    #[serde(skip)]
    pub is_one_at_a_time: bool,
}

impl Interleavings {
    /// Whether one of them breaks a rule that no fix may break. A failure alone is none: the buyer was told.
    pub fn breaks_a_rule(&self) -> bool {
        self.counterexample.is_some()
    }

    /// What was seen, in a line.
    pub fn in_words(&self) -> String {
        let all = counted(self.schedules, "interleaving");
        // After a broken rule, it doesn't matter whether others break it too.
        let has_more = !self.complete && !self.breaks_a_rule();
        let first = if has_more { "the first " } else { "" };
        let mut said = format!(
            "{} of {first}{all} of two purchases: 1 order, stock 0 ({:.1} s)",
            self.sold_once, self.seconds
        );
        for (count, what) in [
            (self.oversold, "oversold"),
            (self.unconserved, "a copy appeared or disappeared"),
            (self.dishonest, "an answer was not true"),
            (self.lost_sales, "\"Out of stock\" while a copy was left"),
            (self.failed, "a request failed"),
            (self.deadlocked, "a deadlock"),
        ] {
            if count > 0 {
                said.push_str(&format!("; {what}: in {count}"));
            }
        }
        if has_more {
            said.push_str("; then the time was up, so the others were not played");
        }
        said
    }
}
