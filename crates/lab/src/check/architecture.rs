//! Checks that the shop is still the one that the exercise is about: it has two replicas, a retry, a payment that takes
//! its time, and no rule in the database that does the shop's work.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::time::{sleep, timeout};

use super::alone::Alone;
use super::one_click::{ClickRound, OneClick};
use super::verdict::Check;
use crate::shop::buy_request::BuyRequest;
use crate::shop::client::Shop;
use crate::shop::client::shown::Attempt;
use crate::shop::database::ShopDatabase;
use crate::shop::told::Told;
use crate::wording::counted;

/// The payment, as shipped: a purchase takes at least this long.
pub(super) const RACE_WINDOW: Duration = Duration::from_millis(100);
/// Enough questions for each replica to answer twice: the lab has at most eight replicas.
const QUESTIONS: usize = 16;
/// How long it may take until a replica answers. One that has ended is started again at once.
const START_LIMIT: Duration = Duration::from_secs(5);
const HEALTH_LIMIT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(100);

/// The names of the replicas that answer. If they are just starting, it waits for them for a moment.
///
/// # Errors
/// When no replica answers.
pub async fn find_replicas(shop: &Shop) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let (begun, mut answers) = (Instant::now(), 0);
    while answers < QUESTIONS && begun.elapsed() < START_LIMIT {
        match timeout(HEALTH_LIMIT, shop.get("/health")).await {
            Ok(Ok(answer)) if answer.status == 200 => {
                names.insert(answer.served_by);
                answers += 1;
            }
            _ => sleep(POLL).await,
        }
    }
    ensure!(!names.is_empty(), "no replica is healthy. Look at: make status");
    Ok(names)
}

/// At least two replicas are alive, and each of them has sold something, to a click or to another buyer.
pub fn judge_replicas(alive: &BTreeSet<String>, clicks: &OneClick, requests: &[&BuyRequest]) -> Check {
    let clicked = clicks.rounds.iter().flat_map(|round| &round.sold_by).map(String::as_str);
    let bought = requests.iter().filter(|request| matches!(request.told, Told::Sold(_)));
    let selling: BTreeSet<&str> = clicked.chain(bought.map(|request| request.served_by.as_str())).collect();
    let sells = |name: &&String| selling.contains(name.as_str());
    let idle: Vec<&str> = alive.iter().filter(|name| !sells(name)).map(String::as_str).collect();
    let is_right = alive.len() >= 2 && idle.is_empty();
    let names: Vec<&str> = alive.iter().map(String::as_str).collect();
    let mut seen = format!("{} alive: {}", alive.len(), names.join(", "));
    if selling.is_empty() {
        seen.push_str("; nothing was sold");
    } else if !idle.is_empty() {
        seen.push_str(&format!("; without a sale: {}", idle.join(", ")));
    } else {
        seen.push_str("; all sell");
    }
    let meaning = if alive.len() >= 2 && selling.is_empty() {
        "This shop sells nothing, so this check can't see whether each replica sells. Look first at the other failed \
         checks. Then check again."
    } else if alive.len() >= 2 {
        "A replica runs and sells nothing. Look at: make status, make logs."
    } else {
        "The shop runs on fewer replicas than it was built with. A fix must work with all of them: look at \
         REPLICAS, and at: make status."
    };
    Check::new("replicas", is_right, seen, meaning)
}

/// A click still makes two requests, and they go to two different replicas.
pub fn judge_retry(clicks: &OneClick) -> Check {
    if clicks.rounds.is_empty() {
        return Check::left_out("retry", "no click could be made and looked at");
    }
    let rounds = clicks.rounds.len();
    let twice = clicks.rounds.iter().filter(|round| round.attempts.len() >= 2).count();
    let apart = clicks.rounds.iter().filter(|round| round.replicas().len() >= 2).count();
    let seen = format!("{twice} of {} made two requests, {apart} on two replicas", counted(rounds, "click"));
    // Not every click has to show it: on a machine that stands still for a moment, the second request can come later
    // than the first answer.
    let is_right = twice * 10 >= rounds * 9 && apart * 2 >= rounds;
    let is_due = |attempt: &Attempt| Duration::from_millis(attempt.took_ms) >= RACE_WINDOW;
    let sells_without_failure = |round: &ClickRound| !round.has_failure() && !round.sold_by.is_empty();
    let shows_nothing = !clicks.rounds.iter().any(sells_without_failure);
    let (meaning, place) = if shows_nothing {
        (
            "Each click failed or sold nothing. So the clicks can't show whether Buy Now still sends two requests to \
             two replicas. Look first at the other failed checks. Then check again.",
            "",
        )
    } else if clicks.rounds.iter().any(|round| round.attempts.first().is_some_and(is_due)) {
        (
            "Buy Now no longer sends its order to a second replica when the first is slow. So a click can't show \
             whether the shop is right. Look at RETRY_AFTER_MS (.env, the shell).",
            "Look at crates/web/src/checkout.rs.",
        )
    } else {
        (
            "The answer came before the second request was due. So a click can't show whether the shop is right. See \
             the race window below.",
            "",
        )
    };
    Check { shows_nothing, ..Check::new("retry", is_right, seen, meaning).at(place) }
}

/// Each sale still waits for its payment, and for nothing that takes much longer.
pub fn judge_race_window(alone: &Alone, clicks: &OneClick, requests: &[&BuyRequest]) -> Check {
    if let Some(took) = alone.slow_sale() {
        let seen = format!("a purchase without other buyers took {} ms", took.as_millis());
        let (meaning, place) = if alone.payment_is_slow {
            (
                "A check needs the payment's 100 ms as shipped. Unset RACE_WINDOW_MS (.env, the shell), then: make build.",
                "",
            )
        } else {
            (
                "The payment takes 100 ms, but a purchase takes much longer.",
                "Look at what else create_order waits for.",
            )
        };
        return Check::new("race window", false, seen, meaning).at(place);
    }
    let with_order = clicks.rounds.iter().filter(|round| !round.sold_by.is_empty());
    let attempts = with_order.flat_map(|round| &round.attempts);
    let sold = attempts.filter(|attempt| attempt.status_code() == Some(200));
    let clicked = sold.map(|attempt| Duration::from_millis(attempt.took_ms));
    let bought = requests.iter().filter(|request| matches!(request.told, Told::Sold(_)));
    let Some(shortest) = clicked.chain(bought.map(|request| request.took)).min() else {
        return Check::left_out("race window", "nothing was sold");
    };
    let seen = format!("the fastest sale took {} ms", shortest.as_millis());
    let meaning = "A sale takes less than the payment's 100 ms. Purchases meet less often, but they still can. Look at \
                   RACE_WINDOW_MS (.env, the shell).";
    Check::new("race window", shortest >= RACE_WINDOW, seen, meaning)
        .at("Look at crates/services/src/payment.rs.")
}

/// The database has no rule that refuses what the shop still tries.
///
/// # Errors
/// When the database fails.
pub async fn judge_constraints(database: &ShopDatabase, is_allowed: bool) -> anyhow::Result<Check> {
    let added = database.added_rules().await?;
    let seen = match (added.is_empty(), is_allowed) {
        (true, _) => "the database has no rule that refuses an order".to_owned(),
        (false, true) => format!("{}, allowed", added.join(", ")),
        (false, false) => added.join(", "),
    };
    let meaning = "A rule of the database refuses orders that the shop still tries to make: a safety net, not a decision \
                   of the shop. Remove it, or allow it: make check ARGS=--allow-constraint.";
    Ok(Check::new("no constraint", added.is_empty() || is_allowed, seen, meaning))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check of a click with one request, which was answered so.
    fn retry(status: &str, sold_by: &[&str]) -> Check {
        let served_by = "replica-1".to_owned();
        let attempt = Attempt { status: status.to_owned(), served_by, took_ms: 5 };
        let sold_by = sold_by.iter().map(|replica| (*replica).to_owned()).collect();
        let round = ClickRound { attempts: vec![attempt], sold_by, quantity: 1 };
        judge_retry(&OneClick { rounds: vec![round; 10], wanted: 10, ..OneClick::default() })
    }

    #[test]
    fn clicks_that_sell_nothing_show_nothing_of_the_second_request() {
        let (sold, refused) = (retry("200 OK", &["replica-1"]), retry("400 Bad Request", &[]));

        assert!(!sold.passed && sold.has_shown_failure(), "{sold:#?}");
        assert!(!refused.passed && !refused.has_shown_failure(), "{refused:#?}");
    }
}
