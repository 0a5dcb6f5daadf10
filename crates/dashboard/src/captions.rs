//! What each purchase of a click does at this moment, in a few words. They come from the recorded statements.

use flash_sale_diagnosis::sql::{Verb, Words, label};
use flash_sale_wiretap::trace::Outcome;

use crate::crowd::Crowd;
use crate::lane::{Lane, Step, short_id};
use crate::notes::{count, quantity};
use crate::waits::holders_letter;

/// More purchases are only counted.
const MOST_NAMED: usize = 4;
/// A purchase that has read the stock and asks nothing for so long pays, in milliseconds: nothing else of the shop takes
/// that long between two statements.
const PAYS_AFTER_MS: f64 = 20.0;

/// A sentence for each purchase: `Purchase A has read quantity = 1 and pays`.
pub fn captions(crowd: &Crowd) -> Vec<String> {
    let lanes: Vec<&Lane> = crowd.all_lanes().collect();
    let named = lanes.iter().take(MOST_NAMED);
    let named = named.map(|lane| format!("Purchase {} {}", lane.letter, doing(crowd, lane)));
    let more = lanes.len().saturating_sub(MOST_NAMED);
    named.chain((more > 0).then(|| format!("and {}", count(more, "other purchase")))).collect()
}

fn doing(crowd: &Crowd, lane: &Lane) -> String {
    let Some(last) = lane.steps.last() else { return "begins".to_owned() };
    match (lane.outcome(), lane.order_id()) {
        (Outcome::Committed, Some(id)) => format!("has committed order {}", short_id(id)),
        // Without a transaction around them, more statements may follow.
        (Outcome::Committed, None) if !lane.is_lone => "has committed".to_owned(),
        (Outcome::RolledBack, _) => match lane.steps.iter().rev().find_map(quantity) {
            Some(quantity) => format!("has read quantity = {quantity} and rolled back"),
            None => "has rolled back".to_owned(),
        },
        (Outcome::Lost, _) => "has lost its connection".to_owned(),
        (Outcome::Open | Outcome::Committed, _) => doing_now(crowd, last),
    }
}

fn doing_now(crowd: &Crowd, last: &Step) -> String {
    let label = label(&last.statement.sql);
    let Some(ended_ms) = last.ended_ms else {
        return match holders_letter(crowd, last) {
            Some(holder) => format!("waits for purchase {holder} with its {label}"),
            None => format!("waits for the answer to its {label}"),
        };
    };
    let pays = crowd.length_ms() - ended_ms >= PAYS_AFTER_MS;
    match quantity(last) {
        Some(quantity) if pays && quantity > 0 => format!("has read quantity = {quantity} and pays"),
        Some(quantity) => format!("has read quantity = {quantity}"),
        None if Words::of(&last.statement.sql).verb() == Verb::Begin => "has begun".to_owned(),
        None => format!("has the answer to its {label}"),
    }
}
