//! Counts what the buyers saw while a fault was drilled.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::shop::purchase::{Purchase, PurchaseEnding};
use crate::shop::told::Told;
use crate::statistics::milliseconds;

/// The counts of all purchases of one drilled fault, or of several. Their names in JSON are those of a report's
/// figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// Purchases.
    pub purchases: usize,
    /// Requests. There are more of them than purchases, because buyers with a key ask again.
    pub requests: usize,
    /// Answers 200.
    #[serde(rename = "ok_200")]
    pub sold: usize,
    /// Answers 400, "Out of stock".
    #[serde(rename = "out_of_stock_400")]
    pub out_of_stock: usize,
    /// Answers 409.
    #[serde(rename = "conflict_409")]
    pub conflicts: usize,
    /// Answers 503 with `Retry-After`: the purchase was not carried out.
    #[serde(rename = "not_carried_out_503")]
    pub not_carried_out: usize,
    /// Answers 503 that say that the outcome is unknown.
    #[serde(rename = "outcome_unknown_503")]
    pub outcome_unknown: usize,
    /// Connections that broke: in which way, and how many in each way.
    pub no_answer: BTreeMap<String, usize>,
    /// Connections that their buyers closed before the answer.
    pub left: usize,
    /// Purchases whose outcome was unknown until their key settled it.
    pub settled: usize,
    /// Purchases with a key whose buyers had left, and whose outcome the key has not settled.
    pub unsettled: usize,
    /// All other answers, and how many of each.
    pub wrong: BTreeMap<String, usize>,
    /// The longest wait for an answer.
    #[serde(rename = "longest_ms", serialize_with = "in_milliseconds")]
    pub longest: Duration,
}

impl Counts {
    /// Counts these purchases.
    pub fn of<'a>(purchases: impl IntoIterator<Item = &'a Purchase>) -> Self {
        let mut counts = Self::default();
        for purchase in purchases {
            counts.purchases += 1;
            counts.settled += usize::from(purchase.is_settled());
            let is_open = purchase.ending() == PurchaseEnding::Unknown;
            let is_unsettled = is_open && purchase.was_left() && purchase.key.is_some();
            counts.unsettled += usize::from(is_unsettled);
            for request in &purchase.requests {
                counts.requests += 1;
                counts.longest = counts.longest.max(request.took);
                match &request.told {
                    Told::Sold(_) => counts.sold += 1,
                    Told::OutOfStock => counts.out_of_stock += 1,
                    Told::Conflict => counts.conflicts += 1,
                    Told::NotCarriedOut => counts.not_carried_out += 1,
                    Told::OutcomeUnknown => counts.outcome_unknown += 1,
                    Told::Left => counts.left += 1,
                    Told::NoAnswer(how) => add(&mut counts.no_answer, how, 1),
                    Told::Wrong(what) => counts.add_wrong(what, 1),
                }
            }
        }
        counts
    }

    /// Adds a wrong answer: nobody should get it. It came this many `times`.
    pub fn add_wrong(&mut self, what: &str, times: usize) {
        add(&mut self.wrong, what, times);
    }

    /// The sum of several counts.
    pub fn sum<'a>(counts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        for one in counts {
            sum.purchases += one.purchases;
            sum.requests += one.requests;
            sum.sold += one.sold;
            sum.out_of_stock += one.out_of_stock;
            sum.conflicts += one.conflicts;
            sum.not_carried_out += one.not_carried_out;
            sum.outcome_unknown += one.outcome_unknown;
            one.no_answer.iter().for_each(|(how, times)| add(&mut sum.no_answer, how, *times));
            sum.left += one.left;
            sum.settled += one.settled;
            sum.unsettled += one.unsettled;
            one.wrong.iter().for_each(|(what, times)| sum.add_wrong(what, *times));
            sum.longest = sum.longest.max(one.longest);
        }
        sum
    }
}

fn in_milliseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(milliseconds(*time))
}

fn add(counts: &mut BTreeMap<String, usize>, name: &str, times: usize) {
    *counts.entry(name.to_owned()).or_default() += times;
}
