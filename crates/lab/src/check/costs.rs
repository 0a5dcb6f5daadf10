//! What a fix costs others, seen from outside. Only what was measured is said, and not how the shop does it.

use std::time::Duration;

use super::alone::Alone;
use super::architecture::RACE_WINDOW;
use super::crowd::Sale;
use super::one_click::OneClick;
use super::verdict::with_thousands;
use crate::shop::told::Told;
use crate::statistics::median;
use crate::wording::counted;

/// A crowd's purchases are said to be made at the same time when, together, they take less than so many times the time
/// of one.
const TOGETHER: f64 = 3.0;
/// They are said to be made one after the other when they take at least this share of the time that they would take one
/// by one.
const ONE_AFTER_THE_OTHER: f64 = 0.8;

/// The costs, in sentences, for a shop whose checks have all passed.
pub fn of(alone: &Alone, clicks: &OneClick, enough: Option<&Sale>, sales: &[&Sale]) -> Vec<String> {
    let sale = alone.sale();
    let waited = sale.and_then(|sale| second_buyers_wait(sale, clicks));
    let crowd = sale.zip(enough).map(|(sale, enough)| time_of_a_crowd(sale, enough));
    let asked_again: usize = sales.iter().map(|sale| sale.count(&Told::Conflict)).sum();
    let conflicts = (asked_again > 0).then(|| {
        let purchases = if asked_again == 1 { "purchase was" } else { "purchases were" };
        format!("{} {purchases} answered with 409: the buyer had to ask again.", with_thousands(asked_again))
    });
    [waited, crowd, conflicts].into_iter().flatten().collect()
}

fn second_buyers_wait(sale: Duration, clicks: &OneClick) -> Option<String> {
    let attempts = clicks.rounds.iter().flat_map(|round| &round.attempts);
    let refused = attempts.filter(|attempt| matches!(attempt.status_code(), Some(400 | 409)));
    let waited = median(refused.map(|attempt| Duration::from_millis(attempt.took_ms)).collect())?;
    let mut said = format!(
        "The request of a click that got no copy was answered after {} ms; a purchase alone takes {} ms.",
        waited.as_millis(),
        sale.as_millis()
    );
    if waited >= RACE_WINDOW {
        said.push_str(" That is as long as a payment takes: was a payment authorized for nothing?");
    }
    Some(said)
}

fn time_of_a_crowd(sale: Duration, crowd: &Sale) -> String {
    let times = crowd.took.as_secs_f64() / sale.as_secs_f64();
    let how = if times >= crowd.stock as f64 * ONE_AFTER_THE_OTHER {
        ": one after the other"
    } else if times < TOGETHER {
        ": at the same time"
    } else {
        ""
    };
    let (buyers, copies) = (counted(crowd.buyers, "buyer"), counted(crowd.stock, "copy"));
    format!("{buyers} of {copies} were served in {} ms{how}.", crowd.took.as_millis())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Instant;

    use uuid::Uuid;

    use super::*;
    use crate::check::crowd::Shown;
    use crate::check::one_click::ClickRound;
    use crate::shop::buy_request::BuyRequest;
    use crate::shop::client::shown::Attempt;
    use crate::shop::purchase::Purchase;

    fn purchase(told: Told, milliseconds: u64) -> Purchase {
        let took = Duration::from_millis(milliseconds);
        let request = BuyRequest { took, ..BuyRequest::over(Instant::now(), told, Err(String::new())) };
        Purchase { requests: vec![request], ..Purchase::new(Uuid::nil(), None, None) }
    }

    fn costs(refused_after_ms: u64, crowd_took_ms: u64, conflicts: usize) -> Vec<String> {
        let alone = Alone { purchases: vec![purchase(Told::Sold(Uuid::nil()), 104)], payment_is_slow: false };
        let attempt =
            |status: &str, took_ms| Attempt { status: status.to_owned(), served_by: String::new(), took_ms };
        let attempts = vec![attempt("200 OK", 104), attempt("400 Bad Request", refused_after_ms)];
        let round = ClickRound { attempts, sold_by: vec!["replica-1".to_owned()], quantity: 0 };
        let clicks = OneClick { rounds: vec![round], wanted: 1, ..OneClick::default() };
        let enough = Sale {
            product: Uuid::nil(),
            stock: 10,
            buyers: 10,
            purchases: vec![purchase(Told::Conflict, 1); conflicts],
            took: Duration::from_millis(crowd_took_ms),
            orders: BTreeSet::new(),
            left: 0,
            shown: Ok(Shown { orders: BTreeSet::new(), left: 0 }),
        };
        of(&alone, &clicks, Some(&enough), &[&enough])
    }

    #[test]
    fn whoever_waits_for_the_purchases_before_is_seen_by_the_crowds_time() {
        assert_eq!(
            costs(55, 1080, 0),
            [
                "The request of a click that got no copy was answered after 55 ms; a purchase alone takes 104 ms.",
                "10 buyers of 10 copies were served in 1080 ms: one after the other.",
            ]
        );
    }

    #[test]
    fn a_payment_for_nothing_and_those_who_had_to_ask_again_are_seen() {
        let costs = costs(107, 180, 1);

        assert!(costs[0].ends_with("was a payment authorized for nothing?"), "{}", costs[0]);
        assert_eq!(costs[1], "10 buyers of 10 copies were served in 180 ms: at the same time.");
        assert_eq!(costs[2], "1 purchase was answered with 409: the buyer had to ask again.");
    }
}
