//! Counts what buyers were told whose purchase was committed, but whose replica did not learn it. A drill in which no
//! answer to a COMMIT was lost has shown nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::shop::purchase::{Purchase, PurchaseEnding};
use crate::shop::told::Told;

/// Answers to COMMIT that were lost, and what buyers were told meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LostAnswers {
    /// How many answers the wiretap has lost. One answer may be that of several buyers, whose purchases were committed
    /// together.
    pub answers: usize,
    /// What the buyers of each strategy were told.
    pub strategies: BTreeMap<String, UnknownOutcomes>,
}

/// Buyers who were told that the outcome of their purchase is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UnknownOutcomes {
    /// Buyers without a key: they never learn the outcome.
    pub without_key: usize,
    /// Buyers with a key who asked again, and learned the outcome.
    pub settled: usize,
    /// Buyers with a key who asked again, and did not learn it.
    pub unsettled: usize,
}

impl UnknownOutcomes {
    fn note(&mut self, purchase: &Purchase) {
        if !purchase.requests.iter().any(|request| request.told == Told::OutcomeUnknown) {
            return;
        }
        let is_unknown = purchase.ending() == PurchaseEnding::Unknown;
        match &purchase.key {
            None => self.without_key += 1,
            Some(_) if is_unknown => self.unsettled += 1,
            Some(_) => self.settled += 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.without_key += other.without_key;
        self.settled += other.settled;
        self.unsettled += other.unsettled;
    }
}

impl LostAnswers {
    /// So many `answers` were lost, and nobody has bought anything yet.
    pub fn new(answers: usize) -> Self {
        Self { answers, strategies: BTreeMap::new() }
    }

    /// Counts what the buyers of this strategy were told.
    pub fn note<'a>(&mut self, strategy: &str, purchases: impl IntoIterator<Item = &'a Purchase>) {
        let outcomes = self.strategies.entry(strategy.to_owned()).or_default();
        purchases.into_iter().for_each(|purchase| outcomes.note(purchase));
    }

    /// The sum of several counts.
    pub fn sum<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        for one in all {
            sum.answers += one.answers;
            for (strategy, outcomes) in &one.strategies {
                sum.strategies.entry(strategy.clone()).or_default().add(*outcomes);
            }
        }
        sum
    }

    /// How many buyers asked again with their key, and did not learn the outcome.
    pub fn unsettled(&self) -> usize {
        self.strategies.values().map(|outcomes| outcomes.unsettled).sum()
    }

    /// What is missing. The list is empty when buyers of each strategy, with and without a key, have met the fault.
    pub fn missing(&self) -> Vec<String> {
        if self.answers == 0 {
            return vec!["no answer to a COMMIT was lost".to_owned()];
        }
        let mut missing = Vec::new();
        for (strategy, outcomes) in &self.strategies {
            if outcomes.without_key == 0 {
                missing.push(format!(
                    "no buyer of {strategy} without a key was told that the outcome is unknown"
                ));
            }
            if outcomes.settled == 0 {
                missing.push(format!("no key of {strategy} has settled an unknown outcome"));
            }
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use uuid::Uuid;

    use super::*;
    use crate::shop::buy_request::BuyRequest;

    fn purchase(has_key: bool, told: &[Told]) -> Purchase {
        let request = |told: &Told| BuyRequest::over(Instant::now(), told.clone(), Err(String::new()));
        let key = has_key.then(|| "a key".to_owned());
        Purchase { requests: told.iter().map(request).collect(), ..Purchase::new(Uuid::nil(), None, key) }
    }

    #[test]
    fn only_buyers_who_were_told_that_the_outcome_is_unknown_count() {
        use Told::{Conflict, NotCarriedOut, OutOfStock, OutcomeUnknown, Sold};
        let sold = Sold(Uuid::nil());
        let purchases = [
            purchase(false, &[OutcomeUnknown]),
            purchase(false, std::slice::from_ref(&sold)),
            purchase(true, &[OutcomeUnknown, Conflict, sold.clone()]),
            purchase(true, &[OutcomeUnknown, OutOfStock]),
            purchase(true, &[OutcomeUnknown, NotCarriedOut]),
            purchase(true, &[Conflict, sold]),
        ];
        let mut lost = LostAnswers::new(4);

        lost.note("nowait", &purchases);

        let expected = UnknownOutcomes { without_key: 1, settled: 2, unsettled: 1 };
        assert_eq!((lost.strategies["nowait"], lost.unsettled()), (expected, 1));
        let twice = LostAnswers::sum([&lost, &lost]);
        assert_eq!((twice.answers, twice.strategies["nowait"].settled), (8, 4));
    }

    #[test]
    fn each_thing_can_be_missing() {
        let mut lost = LostAnswers::new(1);
        lost.strategies
            .insert("nowait".to_owned(), UnknownOutcomes { without_key: 1, settled: 1, unsettled: 0 });
        assert_eq!(lost.missing(), Vec::<String>::new());

        lost.strategies.insert("batched".to_owned(), UnknownOutcomes::default());

        let nobody = "no buyer of batched without a key was told that the outcome is unknown";
        assert_eq!(lost.missing(), [nobody, "no key of batched has settled an unknown outcome"]);
        lost.answers = 0;
        assert_eq!(lost.missing(), ["no answer to a COMMIT was lost"]);
    }
}
