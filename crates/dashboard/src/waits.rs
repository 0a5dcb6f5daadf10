//! Who waits for whom: finds the lane, and there the statement, that holds the lock that a statement waits for.

use std::collections::BTreeMap;

use flash_sale_wiretap::trace::Outcome;

use crate::crowd::Crowd;
use crate::lane::{Lane, Step};

/// One statement's wait. Lanes and steps are places in [`Crowd::lanes`] and [`Lane::steps`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waiting {
    /// The lane that waits.
    pub lane: usize,
    /// Its statement that waits.
    pub step: usize,
    /// The lane that holds the lock, if it is shown, and its statement that took the lock, if that is known.
    pub holder: Option<(usize, Option<usize>)>,
}

/// All waits of the shown lanes.
pub fn waits(crowd: &Crowd) -> Vec<Waiting> {
    let mut waits = Vec::new();
    for (lane, waiting) in crowd.lanes.iter().enumerate() {
        for (step, waiter) in waiting.steps.iter().enumerate() {
            if waiter.statement.blocked_by.is_some() {
                waits.push(Waiting { lane, step, holder: find_holder(crowd, waiter) });
            }
        }
    }
    waits
}

/// How many statements wait for each lane, and for which of its statements, if that is known. Folded lanes count too.
pub fn blocked(crowd: &Crowd) -> BTreeMap<(usize, Option<usize>), usize> {
    let mut blocked = BTreeMap::new();
    let steps = crowd.all_lanes().flat_map(|lane| &lane.steps);
    for holder in steps.filter_map(|step| find_holder(crowd, step)) {
        *blocked.entry(holder).or_insert(0) += 1;
    }
    blocked
}

/// The letter of the lane that a statement waits for. `None`: it does not wait, or the lane is not in this click.
pub fn holders_letter(crowd: &Crowd, waiter: &Step) -> Option<String> {
    let pid = waiter.statement.blocked_by.as_ref()?.backend_pid;
    crowd.all_lanes().find(|lane| may_hold(lane, pid, waiter)).map(|lane| lane.letter.clone())
}

fn find_holder(crowd: &Crowd, waiter: &Step) -> Option<(usize, Option<usize>)> {
    let wait = waiter.statement.blocked_by.as_ref()?;
    let lane = crowd.lanes.iter().position(|lane| may_hold(lane, wait.backend_pid, waiter))?;
    let is_the_one =
        |step: &Step| wait.statement.as_ref() == Some(&step.statement.sql) && step.began_ms <= end_ms(waiter);
    Some((lane, crowd.lanes[lane].steps.iter().rposition(is_the_one)))
}

/// A connection serves one lane after another. The holder is the lane that was there while the waiter waited.
fn may_hold(lane: &Lane, pid: i32, waiter: &Step) -> bool {
    let began = lane.steps.first().map_or(f64::INFINITY, |step| step.began_ms);
    // Between two statements, an open lane still holds its locks.
    let is_open = lane.outcome() == Outcome::Open;
    let ended = if is_open { f64::INFINITY } else { lane.steps.last().map_or(0.0, end_ms) };
    let is_the_waiters_own = lane.parts.iter().any(|part| part.number == waiter.transaction.number);
    lane.backend_pid == pid && !is_the_waiters_own && began <= end_ms(waiter) && ended >= waiter.began_ms
}

fn end_ms(step: &Step) -> f64 {
    step.ended_ms.unwrap_or(f64::INFINITY)
}
