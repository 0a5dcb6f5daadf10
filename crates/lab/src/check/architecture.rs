//! The shop is still the one that the exercise is about: two replicas, a retry, a payment that takes its time,
//! and no rule in the database that does the shop's work.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::ensure;

use super::Check;
use super::one_click::OneClick;
use super::purchase::Purchase;
use super::shop::{Attempt, Shop};
use super::shop_database::ShopDatabase;

/// What a purchase takes as shipped, at least: the payment.
const RACE_WINDOW: Duration = Duration::from_millis(100);
/// Ten of these stay below the shop's `lock_timeout`.
const LONGEST_SALE: Duration = Duration::from_millis(250);
/// Enough for each of the lab's replicas, of which there are at most eight, to answer twice.
const QUESTIONS: usize = 16;

/// The replicas that answer, by name.
///
/// # Errors
/// When nobody answers.
pub async fn find_replicas(shop: &Shop) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for _ in 0..QUESTIONS {
        let answer = shop.get("/health").await?;
        if answer.status == 200 {
            names.insert(answer.served_by);
        }
    }
    Ok(names)
}

/// Makes sure that a purchase that nobody disturbs takes about as long as shipped: with a row lock, ten buyers
/// in a row would otherwise run into the shop's own limits, and a right fix would be called wrong.
///
/// # Errors
/// When it takes longer, or the shop's database fails.
pub async fn ensure_usual_pace(shop: &Shop, database: &ShopDatabase) -> anyhow::Result<()> {
    let product = database.make_product("bought by one at a time", 2).await?;
    let (first, second) = (Purchase::make(shop, product).await, Purchase::make(shop, product).await);
    // The first may have to open a connection.
    let took = first.took.min(second.took);
    ensure!(
        took <= LONGEST_SALE,
        "a purchase takes {} ms here, and a check needs the payment's 100 ms as shipped. Unset RACE_WINDOW_MS \
         (.env, the shell), then: make build",
        took.as_millis()
    );
    Ok(())
}

/// Two replicas at least are alive, and each of them has sold something, to whomever.
pub fn judge_replicas(alive: &BTreeSet<String>, clicks: &OneClick, purchases: &[&Purchase]) -> Check {
    let clicked = clicks.rounds.iter().flat_map(|round| &round.sold_by).map(String::as_str);
    let bought = purchases.iter().filter(|purchase| purchase.order().is_some());
    let selling: BTreeSet<&str> = clicked.chain(bought.map(|purchase| purchase.served_by.as_str())).collect();
    let sells = |name: &&String| selling.contains(name.as_str());
    let idle: Vec<&str> = alive.iter().filter(|name| !sells(name)).map(String::as_str).collect();
    let is_right = alive.len() >= 2 && idle.is_empty();
    let names: Vec<&str> = alive.iter().map(String::as_str).collect();
    let mut seen = format!("{} alive: {}", alive.len(), names.join(", "));
    if !idle.is_empty() {
        seen.push_str(&format!("; without a sale: {}", idle.join(", ")));
    } else {
        seen.push_str("; all sell");
    }
    let meaning = "The shop stands on fewer replicas than it was built with. A fix that needs that is none: look at \
                   REPLICAS, and at: make status.";
    Check::new("replicas", is_right, seen, meaning)
}

/// A click still makes two requests, and they meet on two replicas.
pub fn judge_retry(clicks: &OneClick) -> Check {
    let rounds = clicks.rounds.len();
    let twice = clicks.rounds.iter().filter(|round| round.attempts.len() >= 2).count();
    let apart = clicks.rounds.iter().filter(|round| round.replicas().len() >= 2).count();
    let seen = format!("{twice} of {rounds} clicks made two requests, {apart} on two replicas");
    // Not all: a machine that stands still for a moment can delay the second request past the first answer.
    let is_right = twice * 10 >= rounds * 9 && apart * 2 >= rounds;
    let is_due = |attempt: &Attempt| Duration::from_millis(attempt.took_ms) >= RACE_WINDOW;
    let meaning = if clicks.rounds.iter().any(|round| round.attempts.first().is_some_and(is_due)) {
        "Buy Now no longer sends its order to a second replica when the first is slow, so that a click can't show \
         whether the shop is right. Look at RETRY_AFTER_MS and crates/web/src/checkout.rs."
    } else {
        "The answer came before the second request was due, so that a click can't show whether the shop is right. \
         See the race window below."
    };
    Check::new("retry", is_right, seen, meaning)
}

/// Each sale still waits for its payment.
pub fn judge_race_window(clicks: &OneClick, purchases: &[&Purchase]) -> Check {
    let attempts = clicks.rounds.iter().flat_map(|round| &round.attempts);
    let sold = attempts.filter(|attempt| attempt.status_code() == Some(200));
    let clicked = sold.map(|attempt| Duration::from_millis(attempt.took_ms));
    let bought = purchases.iter().filter(|purchase| purchase.order().is_some()).map(|purchase| purchase.took);
    let shortest = clicked.chain(bought).min();
    let seen = match shortest {
        Some(shortest) => format!("the fastest sale took {} ms", shortest.as_millis()),
        None => "nothing was sold".to_owned(),
    };
    let meaning = "A sale takes less than the payment's 100 ms: purchases meet less often, and still can. Look at \
                   RACE_WINDOW_MS (.env, the shell) and crates/services/src/payment.rs.";
    // Without a sale, other checks have failed already.
    Check::new("race window", shortest.is_none_or(|shortest| shortest >= RACE_WINDOW), seen, meaning)
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
    let meaning = "The database refuses what the shop still tries: a safety net, not a decision of the shop. Remove \
                   it, or have it allowed: make check ARGS=--allow-constraint.";
    Ok(Check::new("no constraint", added.is_empty() || is_allowed, seen, meaning))
}
