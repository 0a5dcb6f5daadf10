//! Remembers which interleaving tells the most about the shop, and what its purchases sent. The diagnosis is made from it.

use std::cmp::Reverse;

use flash_sale_diagnosis::{Purchase, Reading};
use flash_sale_explorer::{Became, Flaw, Schedule, Step};
use flash_sale_wiretap::Recorder;
use flash_sale_wiretap::trace::Transaction;

/// How much an interleaving tells. The highest one tells the most: a broken rule, then a strange answer, then a statement
/// that failed, then a wait, then two purchases that were under way at the same time. Of several that break the same rule,
/// the one with the fewest switches tells the most: it is the example that the check shows.
type Rank = (Option<Reverse<Flaw>>, bool, bool, bool, bool, Reverse<usize>, Reverse<usize>);

/// The interleaving that tells the most so far.
#[derive(Default)]
pub struct Witness {
    best: Option<MostTelling>,
    /// The number of the last transaction so far.
    last: u64,
}

struct MostTelling {
    rank: Rank,
    statuses: Vec<Option<u16>>,
    /// Its steps. The explorer sees every wait, and the wire may miss a short one.
    steps: Vec<Step>,
    /// The numbers of its transactions: after the first one, up to the second one.
    after: u64,
    up_to: u64,
}

impl Witness {
    /// Looks at what comes from now on.
    pub fn from_now(recorder: &Recorder) -> Self {
        Self { best: None, last: recorder.newest_number() }
    }

    /// Looks at an interleaving that has just been played.
    pub fn look(&mut self, schedule: &Schedule, recorder: &Recorder) {
        let (after, up_to) = (self.last, recorder.newest_number());
        self.last = up_to;
        let rank = rank(schedule);
        if self.best.as_ref().is_none_or(|best| rank > best.rank) {
            let statuses = schedule.replies.iter().map(|reply| reply.status).collect();
            self.best = Some(MostTelling { rank, statuses, steps: schedule.steps.clone(), after, up_to });
        }
    }

    /// What its purchases did.
    pub fn purchases(self, recorder: &Recorder) -> Vec<Purchase> {
        let Some(MostTelling { statuses, steps, after, up_to, .. }) = self.best else { return Vec::new() };
        let mut transactions: Vec<Transaction> =
            (after + 1..=up_to).filter_map(|number| recorder.transaction(number)).collect();
        // A connection is cleaned after its user. That is none of a purchase's statements.
        transactions.retain(|transaction| !transaction.only_cleans());
        let purchase = |(actor, status): (usize, &Option<u16>)| {
            let replica = format!("replica-{}", actor + 1);
            let own = transactions.iter().filter(|transaction| transaction.replica == replica);
            let mut reading = Reading::of(own);
            let its_steps = steps.iter().filter(|step| step.actor == actor && !step.is_inside);
            reading.note_waits(its_steps.map(|step| (&*step.sql, step.became == Became::Waited)));
            Purchase { reading, status: *status }
        };
        statuses.iter().enumerate().map(purchase).collect()
    }
}

fn rank(schedule: &Schedule) -> Rank {
    let is_usual = |status: Option<u16>| matches!(status, Some(200 | 400));
    let flaw = schedule.outcome.flaws.first();
    let keeps_all_rules = flaw.is_none();
    (
        flaw.map(|flaw| Reverse(*flaw)),
        keeps_all_rules && schedule.replies.iter().any(|reply| !is_usual(reply.status)),
        keeps_all_rules && schedule.steps.iter().any(|step| matches!(step.became, Became::Failed(_))),
        keeps_all_rules && schedule.has_waited(),
        keeps_all_rules && schedule.switches() > 1,
        Reverse(schedule.switches()),
        Reverse(schedule.steps.len()),
    )
}
