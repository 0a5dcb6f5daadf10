//! What the diagnosis is made from, and how it is said: the mistake of a shop that is not fixed, and why a fix holds.

use std::collections::BTreeSet;

use flash_sale_diagnosis::{Diagnosis, Evidence, Shown, Sign, WhyItHolds, diagnose, why_it_holds};

use super::alone::Alone;
use super::played::Interleavings;
use super::verdict::Check;
use crate::shop::buy_request::BuyRequest;
use crate::shop::told::Told;

/// The checks whose failure is a sign, each with this sign.
const SIGNS: [(&str, Sign); 8] = [
    ("no lost sale", Sign::LostSale),
    ("readers don't wait", Sign::ReadersWait),
    ("other products don't wait", Sign::OtherProductsWait),
    ("no failures", Sign::BuyersMetFailures),
    ("retry", Sign::NoSecondRequest),
    ("race window", Sign::ShortPayment),
    ("replicas", Sign::OneReplica),
    ("no constraint", Sign::NewConstraint),
];

/// What the parts of a check have shown.
pub fn evidence(alone: &Alone, checks: &[Check], played: Option<&Interleavings>) -> Evidence {
    let has_failed = |name: &str| checks.iter().any(|check| check.name == name && check.has_shown_failure());
    let mut signs: BTreeSet<Sign> =
        SIGNS.iter().filter(|(name, _)| has_failed(name)).map(|(_, sign)| *sign).collect();
    // On a machine that is too slow, that check fails because a sale takes too long.
    if alone.slow_sale().is_some() {
        signs.remove(&Sign::ShortPayment);
    }
    if alone.requests().all(|request| request.failure().is_some()) {
        signs.insert(Sign::FailedAlone);
    }
    let is_refused = |request: &BuyRequest| request.told == Told::OutOfStock;
    if alone.requests().last().is_some_and(is_refused) {
        signs.insert(Sign::RefusedAlone);
    }
    let purchases = played.map(|played| played.purchases.clone()).unwrap_or_default();
    let is_one_at_a_time = played.is_some_and(|played| played.is_one_at_a_time);
    Evidence { signs, purchases, is_one_at_a_time }
}

/// What the interleavings alone say: the mistake, or why nothing is wrong with them.
pub fn of_interleavings(played: &Interleavings) -> Option<String> {
    let signs = [(played.oversold, Sign::Oversold), (played.lost_sales, Sign::LostSale)];
    let signs = signs.into_iter().filter(|(count, _)| *count > 0).map(|(_, sign)| sign).collect();
    let (purchases, is_one_at_a_time) = (played.purchases.clone(), played.is_one_at_a_time);
    let evidence = Evidence { signs, purchases, is_one_at_a_time };
    let holds = || why_it_holds(&evidence.purchases).map(|why| why_in_words(&why));
    diagnose(&evidence).map(|diagnosis| mistake_in_words(&diagnosis)).or_else(holds)
}

/// The mistake, in a paragraph.
pub fn mistake_in_words(diagnosis: &Diagnosis) -> String {
    let mut said = format!("Mistake: {}", diagnosis.sentence);
    let statements = &diagnosis.statements;
    for (index, statement) in statements.iter().enumerate() {
        let result = if statement.result.is_empty() { "was sent" } else { &statement.result };
        let Shown { purchase, label, .. } = statement;
        let is_alike = |other: &&Shown| other.purchase == *purchase && other.label == *label;
        let all = statements.iter().filter(is_alike).count();
        let which = if all > 1 { ordinal(statements[..index].iter().filter(is_alike).count()) } else { "" };
        said.push_str(&format!(" {purchase}'s {which}{label} {result}."));
    }
    said
}

/// The word for one of several that have the same name, with a space after it.
fn ordinal(index: usize) -> &'static str {
    ["first ", "second ", "third "].get(index).copied().unwrap_or("next ")
}

/// Why a fix holds, in a paragraph.
pub fn why_in_words(why: &WhyItHolds) -> String {
    let holds = why.holds.as_ref().map(|holds| format!(" {holds}")).unwrap_or_default();
    format!("Why it holds: {}{holds}", why.sentence)
}

#[cfg(test)]
mod tests {
    use flash_sale_diagnosis::Mistake;

    use super::*;

    #[test]
    fn of_two_statements_with_one_name_it_is_said_which_is_meant() {
        let shown = |purchase: &str, quantity: u8| Shown {
            purchase: purchase.to_owned(),
            label: "SELECT".to_owned(),
            result: format!("saw quantity {quantity}"),
        };
        let statements = vec![shown("A", 1), shown("A", 1), shown("B", 0)];
        let diagnosis = Diagnosis { name: Mistake::SecondLook, sentence: "Why.".to_owned(), statements };

        assert_eq!(
            mistake_in_words(&diagnosis),
            "Mistake: Why. A's first SELECT saw quantity 1. A's second SELECT saw quantity 1. B's SELECT saw quantity 0."
        );
    }
}
