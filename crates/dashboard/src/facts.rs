//! What is plain to see in a click, in sentences. They say what happened, and not why.

use flash_sale_wiretap::trace::Outcome;

use crate::crowd::Crowd;
use crate::lane::{Lane, outcome_in_words, short_id};
use crate::notes::{self, count, waited, with_outcome};
use crate::waits::holders_letter;

/// More of the same are counted, and not named.
const MOST_NAMED: usize = 4;

/// The click in sentences: who took part, what they read, who waited, and what came of it.
pub fn sentences(crowd: &Crowd) -> Vec<String> {
    [Some(who(crowd)), reads(crowd), Some(waits(crowd)), Some(orders(crowd))].into_iter().flatten().collect()
}

fn who(crowd: &Crowd) -> String {
    let lanes: Vec<&Lane> = crowd.all_lanes().collect();
    let mut replicas: Vec<&str> = lanes.iter().map(|lane| lane.replica).collect();
    replicas.sort_unstable();
    replicas.dedup();
    let outcomes = [Outcome::Committed, Outcome::RolledBack, Outcome::Open, Outcome::Lost];
    let outcomes: Vec<String> = outcomes
        .iter()
        .map(|outcome| (with_outcome(lanes.iter().copied(), *outcome), outcome_in_words(*outcome)))
        .filter(|(number, _)| *number > 0)
        .map(|(number, words)| format!("{number} {words}"))
        .collect();
    format!("{} on {}: {}.", count(lanes.len(), "purchase"), join(&replicas), outcomes.join(", "))
}

/// What the first read of each lane saw.
fn reads(crowd: &Crowd) -> Option<String> {
    let first = |lane: &Lane| lane.steps.iter().find_map(notes::quantity);
    let saw: Vec<i64> = crowd.all_lanes().filter_map(first).collect();
    let newest = saw.first()?;
    let (most, least) = (saw.iter().max()?, saw.iter().min()?);
    if saw.len() > MOST_NAMED && most != least {
        return Some(format!("{} reads saw quantities from {most} to {least}.", saw.len()));
    }
    if saw.iter().all(|saw| saw == newest) && saw.len() > 1 {
        let all = if saw.len() == 2 { "Both".to_owned() } else { format!("All {}", saw.len()) };
        return Some(format!("{all} reads saw quantity {newest}."));
    }
    let named =
        crowd.all_lanes().filter_map(|lane| Some(format!("{} saw quantity {}", lane.letter, first(lane)?)));
    Some(format!("{}.", join(&named.collect::<Vec<_>>())))
}

fn waits(crowd: &Crowd) -> String {
    let steps = crowd.all_lanes().flat_map(|lane| lane.steps.iter().map(move |step| (lane, step)));
    let waiting: Vec<_> = steps.filter(|(_, step)| step.statement.blocked_by.is_some()).collect();
    if waiting.is_empty() {
        return "No statement waited for a lock.".to_owned();
    }
    if waiting.len() > MOST_NAMED {
        return format!("{} statements waited for a lock.", waiting.len());
    }
    let named = waiting.iter().filter_map(|(lane, step)| {
        Some(format!("{} {}", lane.letter, waited(step, holders_letter(crowd, step).as_deref())?))
    });
    format!("{}.", join(&named.collect::<Vec<_>>()))
}

fn orders(crowd: &Crowd) -> String {
    let orders: Vec<String> = crowd
        .all_lanes()
        .filter(|lane| lane.outcome() == Outcome::Committed)
        .filter_map(|lane| lane.order_id().map(short_id))
        .collect();
    match orders.len() {
        0 => "No new order.".to_owned(),
        1..=MOST_NAMED => format!("{}: {}.", count(orders.len(), "new order"), join(&orders)),
        many => format!("{many} new orders."),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn join<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}
