//! Whoever asks gets an answer that is not the shop's own fault.

use std::collections::BTreeMap;

use super::Check;
use super::crowd::Sale;
use super::one_click::OneClick;
use super::patience::Held;
use super::purchase::Purchase;

/// No 5xx, no missing answer, and no deadlock that PostgreSQL had to break up.
pub fn judge(clicks: &OneClick, sales: &[Sale], held: &Held, deadlocks: i64) -> Check {
    let mut failures: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |what: String| *failures.entry(what).or_default() += 1;
    let attempts = clicks.rounds.iter().flat_map(|round| &round.attempts);
    let failed = attempts.filter(|attempt| attempt.status_code().is_none_or(|status| status >= 500));
    failed.for_each(|attempt| count(attempt.status.clone()));
    let purchases = sales.iter().flat_map(|sale| &sale.purchases);
    let purchases = purchases.chain(&held.held).chain(held.others.iter().flatten());
    purchases.filter_map(Purchase::failure).for_each(|failure| count(failure.to_owned()));
    held.failed_reads.iter().cloned().for_each(&mut count);

    let mut seen: Vec<String> = failures.iter().map(|(what, times)| format!("{times} × {what}")).collect();
    if deadlocks > 0 {
        seen.push(format!("{deadlocks} deadlocks"));
    }
    let is_right = seen.is_empty();
    let seen = if is_right { "no 5xx, no missing answer, no deadlock".to_owned() } else { seen.join(", ") };
    let meaning = if deadlocks > 0 {
        "Purchases wait for each other in a circle until PostgreSQL ends one of them. Look at the order in which \
         create_order does its steps, and at: make logs."
    } else {
        "Buyers met failures of the shop where a plain answer was due. The reason is in the log: make logs."
    };
    Check::new("no failures", is_right, seen, meaning)
}
