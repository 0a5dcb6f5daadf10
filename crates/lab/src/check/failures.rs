//! Checks that every request gets an answer, and that no answer is a failure of the shop itself.

use std::collections::BTreeMap;
use std::time::Duration;

use super::alone::Alone;
use super::crowd::Sale;
use super::one_click::OneClick;
use super::patience::Held;
use super::purchase::failure_after;
use super::verdict::Check;
use crate::wording::counted;

/// A request that took this long was not just refused: it waited for something until a limit was reached.
const LONG: Duration = Duration::from_secs(7);

const NAME: &str = "no failures";

/// Adds the log's first error to each check in which a buyer met a failure. The first such check has the whole text,
/// and the others name that check.
pub fn tell_reason(checks: &mut [Check], reason: &str) {
    let mut first: Option<String> = None;
    for check in checks.iter_mut().filter(|check| !check.passed && check.met_failure) {
        let said = first.as_ref().map_or_else(|| reason.to_owned(), |name| format!("see \"{name}\""));
        check.seen.push_str(&format!("; the log's first error: {said}"));
        first.get_or_insert_with(|| check.name.clone());
    }
}

/// No 5xx, no missing answer, and no deadlock that PostgreSQL had to break up.
pub fn judge(
    alone: &Alone,
    clicks: &OneClick,
    sales: &[&Sale],
    held: Option<&Held>,
    deadlocks: usize,
) -> Check {
    let (mut is_late, mut is_silent) = (false, false);
    let mut failures: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |what: String| *failures.entry(what).or_default() += 1;
    let attempts = clicks.rounds.iter().flat_map(|round| &round.attempts);
    let failed = attempts.filter(|attempt| attempt.status_code().is_none_or(|status| status >= 500));
    for attempt in failed {
        let took = Duration::from_millis(attempt.took_ms);
        is_late |= took >= LONG;
        is_silent |= attempt.status_code().is_none() || is_a_gateways(&attempt.status, &attempt.served_by);
        // Only the number, as for the purchases outside the clicks, so that both are counted together.
        let status = attempt.status_code().map_or_else(|| attempt.status.clone(), |code| code.to_string());
        count(failure_after(&status, took));
    }
    clicks.broken.iter().cloned().for_each(&mut count);
    let requests = alone.requests().chain(sales.iter().flat_map(|sale| sale.requests()));
    for request in requests.chain(held.into_iter().flat_map(Held::requests)) {
        let Some(failure) = request.failure() else { continue };
        is_late |= request.took >= LONG;
        is_silent |= failure.starts_with("no ") || is_a_gateways(&failure, &request.served_by);
        count(failure);
    }
    held.into_iter().flat_map(|held| &held.failed_reads).cloned().for_each(&mut count);

    let mut seen: Vec<String> = failures.iter().map(|(what, times)| format!("{times} × {what}")).collect();
    if deadlocks > 0 {
        seen.push(counted(deadlocks, "deadlock"));
    }
    let is_right = seen.is_empty();
    let seen = if is_right { "no 5xx, no missing answer, no deadlock".to_owned() } else { seen.join(", ") };
    let (meaning, place) = if deadlocks > 0 {
        (
            "Purchases wait for each other in a circle until PostgreSQL ends one of them. See them: make logs.",
            "Look at the order in which create_order does its steps: crates/services/src/order_service.rs.",
        )
    } else if is_late {
        (
            "Requests waited for seconds for something that didn't come, and were given up. See which: make logs.",
            "Look at what create_order waits for: crates/services/src/order_service.rs.",
        )
    } else if is_silent {
        (
            "The replica that worked on a request gave no answer to it. Look at: make logs, make status (restarts).",
            "Look at whether create_order can end the whole process.",
        )
    } else {
        (
            "Buyers met failures of the shop instead of a plain answer. The reason is in the log: make logs.",
            "",
        )
    };
    Check::new(NAME, is_right, seen, meaning).at(place).after_failure(!is_right)
}

/// Whether this is an answer of a gateway: it gives one when the replica doesn't answer, or when there is no replica. A
/// replica puts its name on each answer.
fn is_a_gateways(status: &str, served_by: &str) -> bool {
    matches!(served_by, "" | "–") && ["502", "503", "504"].iter().any(|own| status.starts_with(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_that_saw_a_failure_says_the_logs_first_error_and_only_one_in_full() {
        let failed = |name| Check::new(name, false, "2 × 503".to_owned(), "why");
        let mut checks = [
            failed("retry"),
            failed("one click").after_failure(true),
            Check::new("crowd of 50", true, "1 sold".to_owned(), "").after_failure(true),
            failed("no failures").after_failure(true),
        ];

        tell_reason(&mut checks, "replica-1: could not serialize access");

        assert_eq!(
            checks.map(|check| check.seen),
            [
                "2 × 503",
                "2 × 503; the log's first error: replica-1: could not serialize access",
                "1 sold",
                "2 × 503; the log's first error: see \"one click\"",
            ]
        );
    }
}
