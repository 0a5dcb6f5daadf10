//! A click's transactions as lanes. In a large crowd, transactions that went the same way are folded into one.

use chrono::{DateTime, Utc};
use flash_sale_wiretap::trace::Outcome;

use crate::clicks::{Click, end_of, is_lone};
use crate::lane::{Lane, milliseconds_between, outcome_in_words, steps};
use crate::notes;

/// So many lanes are all drawn.
const FEW: usize = 8;
/// Of a larger crowd, so many with an order are drawn, and so many without one.
const SHOWN_WITH_ORDER: usize = 4;
const SHOWN_WITHOUT_ORDER: usize = 2;

/// The lanes of a click.
#[derive(Debug)]
pub struct Crowd<'a> {
    /// The click.
    pub click: &'a Click,
    /// The lanes that are shown, in the order in which they began.
    pub lanes: Vec<Lane<'a>>,
    /// The lanes that are only counted.
    pub folds: Vec<Fold<'a>>,
    /// When somebody looks at lanes that are still open, in milliseconds from the click's beginning. `None`: an open
    /// lane ends with what was last seen of it.
    seen_ms: Option<f64>,
}

/// Lanes of one replica that went the same way.
#[derive(Clone, Debug)]
pub struct Fold<'a> {
    /// Their replica.
    pub replica: &'a str,
    /// How they went, in words that fit behind their number: `rolled back, saw quantity 0`.
    pub way: String,
    /// These lanes.
    pub lanes: Vec<Lane<'a>>,
}

impl<'a> Crowd<'a> {
    /// The lanes of this click.
    pub fn of(click: &'a Click) -> Self {
        let mut all: Vec<Lane<'a>> = Vec::new();
        for transaction in &click.transactions {
            let is_lone = is_lone(transaction);
            let steps = steps(click.began_at, transaction);
            let goes_on = |lane: &&mut Lane| {
                lane.is_lone
                    && lane.backend_pid == transaction.backend_pid
                    && lane.replica == transaction.replica
            };
            match all.iter_mut().rev().find(|lane| is_lone && goes_on(lane)) {
                Some(lane) => {
                    lane.parts.push(transaction);
                    lane.steps.extend(steps);
                }
                None => all.push(Lane {
                    letter: letter(all.len()),
                    replica: &transaction.replica,
                    backend_pid: transaction.backend_pid,
                    is_lone,
                    parts: vec![transaction],
                    steps,
                }),
            }
        }
        let (lanes, rest) = choose(all);
        Self { click, lanes, folds: fold(rest), seen_ms: None }
    }

    /// The lanes of this click, as they are at this time: those that are open go on until then.
    pub fn seen_at(click: &'a Click, now: DateTime<Utc>) -> Self {
        let crowd = Self::of(click);
        Self { seen_ms: Some(crowd.since_begin(now)), ..crowd }
    }

    /// Whether this lane goes on while somebody looks.
    pub fn goes_on(&self, lane: &Lane) -> bool {
        self.seen_ms.is_some() && lane.outcome() == Outcome::Open
    }

    /// All lanes, also those that are folded.
    pub fn all_lanes(&self) -> impl Iterator<Item = &Lane<'a>> {
        self.lanes.iter().chain(self.folds.iter().flat_map(|fold| &fold.lanes))
    }

    /// Milliseconds from the click's beginning to the last thing that is known of it, or to the time of the look.
    pub fn length_ms(&self) -> f64 {
        let ends = self.click.transactions.iter().map(|transaction| self.since_begin(end_of(transaction)));
        let seen_ms = self.seen_ms.filter(|_| self.all_lanes().any(|lane| lane.outcome() == Outcome::Open));
        ends.chain(seen_ms).fold(0.0, f64::max)
    }

    /// Milliseconds from the click's beginning to this time.
    pub fn since_begin(&self, time: DateTime<Utc>) -> f64 {
        milliseconds_between(self.click.began_at, time)
    }
}

/// A, B, … Z, then #27, #28, …
fn letter(place: usize) -> String {
    match u8::try_from(place) {
        Ok(place @ 0..26) => char::from(b'A' + place).to_string(),
        _ => format!("#{}", place + 1),
    }
}

/// Splits the lanes into those that are shown and the rest.
fn choose(all: Vec<Lane>) -> (Vec<Lane>, Vec<Lane>) {
    if all.len() <= FEW {
        return (all, Vec::new());
    }
    let (mut with_order, mut without) = (0, 0);
    all.into_iter().partition(|lane| {
        let (count, most) = match lane.order_id() {
            Some(_) => (&mut with_order, SHOWN_WITH_ORDER),
            None => (&mut without, SHOWN_WITHOUT_ORDER),
        };
        *count += 1;
        *count <= most
    })
}

fn fold(rest: Vec<Lane>) -> Vec<Fold> {
    let mut folds: Vec<Fold> = Vec::new();
    for lane in rest {
        let way = way(&lane);
        match folds.iter_mut().find(|fold| fold.replica == lane.replica && fold.way == way) {
            Some(fold) => fold.lanes.push(lane),
            None => folds.push(Fold { replica: lane.replica, way, lanes: vec![lane] }),
        }
    }
    folds.sort_by(|one, other| one.replica.cmp(other.replica));
    folds
}

/// How a lane went, without what differs between lanes of one kind.
fn way(lane: &Lane) -> String {
    let has_order = lane.order_id().is_some();
    let order = if has_order { ", with an order" } else { "" };
    // Buyers who got a copy saw different stocks.
    let saw = lane.steps.iter().rev().find_map(notes::saw_quantity).filter(|_| !has_order);
    let saw = saw.map_or_else(String::new, |saw| format!(", {saw}"));
    let error = lane.steps.iter().find_map(|step| step.statement.error.as_deref());
    let error = error.map_or_else(String::new, |error| format!(", error {error}"));
    format!("{}{order}{saw}{error}", outcome_in_words(lane.outcome()))
}
