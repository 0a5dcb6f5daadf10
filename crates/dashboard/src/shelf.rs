//! The stock and the orders as they are committed, at each moment of a click. What is known comes from what reads saw
//! and from the words of the updates.

use std::collections::BTreeSet;

use flash_sale_diagnosis::sql::{StockChange, Verb, Words};
use flash_sale_wiretap::trace::Outcome;

use crate::crowd::Crowd;
use crate::lane::Step;
use crate::notes::quantity;

/// The end of a transaction and the end of its COMMIT are the same moment, but each is rounded by itself.
const SAME_TIME_MS: f64 = 0.002;

/// What a click did to one product's stock and orders.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    first: Option<i64>,
    commits: Vec<Commit>,
}

/// A transaction's changes, which others see from its commit on.
#[derive(Clone, Debug)]
struct Commit {
    at_ms: f64,
    changes: Vec<StockChange>,
    /// Orders that it adds, without those that it deletes.
    orders: i64,
}

impl Shelf {
    /// Reads the changes. `None`: the click is about several products, or about a product that is not named.
    pub fn of(crowd: &Crowd) -> Option<Self> {
        let products: BTreeSet<&str> =
            crowd.all_lanes().flat_map(|lane| &lane.steps).filter_map(product).collect();
        if products.len() != 1 {
            return None;
        }
        let mut commits: Vec<Commit> = Vec::new();
        for part in crowd.all_lanes().flat_map(|lane| &lane.parts) {
            if part.outcome == Outcome::Committed {
                let steps = crate::lane::steps(crowd.click.began_at, part);
                let answered_ms = part.ended_at.map_or(f64::INFINITY, |ended| crowd.since_begin(ended));
                let sent_ms = steps.last().map_or(answered_ms, |commit| commit.began_ms);
                // PostgreSQL ends the waits for a transaction before it answers COMMIT.
                let freed_ms = crowd
                    .all_lanes()
                    .flat_map(|lane| &lane.steps)
                    .filter(|step| waited_for(step, part.backend_pid))
                    .filter_map(|step| step.ended_ms.filter(|ended_ms| *ended_ms >= sent_ms));
                commits.push(Commit {
                    at_ms: freed_ms.fold(answered_ms, f64::min),
                    changes: steps.iter().filter_map(change).collect(),
                    orders: steps.iter().map(orders).sum(),
                });
            }
        }
        commits.sort_by(|one, other| one.at_ms.total_cmp(&other.at_ms));
        let mut shelf = Self { first: None, commits };
        shelf.first = shelf.before_all(crowd);
        Some(shelf)
    }

    /// The stock, if it is known, and the orders that this click has added and not deleted, at this time.
    pub fn at(&self, at_ms: f64) -> (Option<i64>, u64) {
        let mut stock = self.first;
        let mut orders: i64 = 0;
        for commit in self.commits.iter().filter(|commit| commit.at_ms <= at_ms + SAME_TIME_MS) {
            // A reset also deletes orders of earlier clicks.
            orders = (orders + commit.orders).max(0);
            for change in &commit.changes {
                stock = apply(stock, *change);
            }
        }
        (stock, orders.unsigned_abs())
    }

    /// The stock before the click: what the first read saw, without what was committed before that read.
    fn before_all(&self, crowd: &Crowd) -> Option<i64> {
        let steps = crowd.all_lanes().flat_map(|lane| &lane.steps);
        let reads = steps
            .filter(|step| product(step).is_some())
            // A read that waits for a lock sees what is committed when the wait ends.
            .filter_map(|step| Some((step.ended_ms?, quantity(step)?)));
        let (at_ms, saw) = reads.min_by(|(one, _), (other, _)| one.total_cmp(other))?;
        let is_untouched =
            self.commits.iter().all(|commit| commit.at_ms > at_ms || commit.changes.is_empty());
        is_untouched.then_some(saw)
    }
}

fn waited_for(step: &Step, backend_pid: i32) -> bool {
    step.statement.blocked_by.as_ref().is_some_and(|wait| wait.backend_pid == backend_pid)
}

fn apply(stock: Option<i64>, change: StockChange) -> Option<i64> {
    match change {
        StockChange::By(copies) => stock.map(|stock| stock + copies),
        StockChange::To(copies) => Some(copies),
        StockChange::Unknown => None,
    }
}

/// The id of the product that a statement names. Each statement about products, buckets or orders has it as a parameter.
fn product<'a>(step: &Step<'a>) -> Option<&'a str> {
    let words = Words::of(&step.statement.sql);
    let parameters = || step.statement.parameters.iter().flatten();
    ["products", "orders", "stock_buckets"]
        .iter()
        .any(|table| words.has(table))
        .then(|| parameters().find(|value| uuid::Uuid::try_parse(value).is_ok()))
        .flatten()
        .map(String::as_str)
}

fn change(step: &Step) -> Option<StockChange> {
    let has_failed = step.statement.error.is_some() || step.statement.rows == Some(0);
    Words::of(&step.statement.sql).stock_change(&step.statement.parameters).filter(|_| !has_failed)
}

/// How many orders a statement adds. It is negative where the statement deletes orders.
fn orders(step: &Step) -> i64 {
    let words = Words::of(&step.statement.sql);
    if !words.has("orders") || step.statement.error.is_some() {
        return 0;
    }
    let rows = step.statement.rows.and_then(|rows| i64::try_from(rows).ok()).unwrap_or(0);
    match words.verb() {
        Verb::Insert => rows,
        Verb::Delete => -rows,
        _ => 0,
    }
}
