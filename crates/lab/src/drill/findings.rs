//! What was found out about a fault, and the sum of these findings when the fault struck several times.

use std::collections::BTreeMap;
use std::time::Duration;

use super::counts::Counts;
use super::distance::ReadyTimes;
use super::leaving::Leaving;
use super::lost_answers::LostAnswers;
use super::pulse::Beat;
use crate::shop::ledger::Ledger;

/// The name in [`DrillFindings::ledgers`] of the product that was bought while it was reset.
pub const THE_BOOK: &str = "the book";

/// All that was found out about a fault, over all the times that it struck.
#[derive(Clone, Debug, Default)]
pub struct DrillFindings {
    /// What the buyers saw.
    pub counts: Counts,
    /// The ledger of each strategy's products, and the ledger of [`THE_BOOK`].
    pub ledgers: BTreeMap<String, Ledger>,
    /// How the shop came back, once for each time that the fault struck.
    pub recoveries: Vec<Recovery>,
    /// How long killed replicas were away.
    pub away: Vec<Duration>,
    /// The answers of the replicas to `/health`.
    pub beats: Vec<Beat>,
    /// Sales whose orders were not in the database when their buyers were told of them.
    pub not_there_when_told: usize,
    /// Sessions of the shop in the database that were left in a transaction.
    pub left_in_transaction: usize,
    /// How buyers left before their answer. `None` if no such buyers were sent.
    pub leaving: Option<Leaving>,
    /// How long `/ready` took with a near and with a far database, one entry for each time.
    pub ready: Vec<ReadyTimes>,
    /// The answers to COMMIT that were lost. `None` if the fault lost none.
    pub lost_answers: Option<LostAnswers>,
}

/// How the shop came back after a fault.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// For each strategy, the time from the end of the fault to its first sale; `None` if there was none.
    pub strategies: BTreeMap<String, Option<Duration>>,
}

impl DrillFindings {
    /// The sum of several findings.
    pub fn sum(all: &[&Self]) -> Self {
        let mut ledgers = BTreeMap::<String, Ledger>::new();
        for (name, ledger) in all.iter().flat_map(|findings| &findings.ledgers) {
            ledgers.entry(name.clone()).or_default().add(*ledger);
        }
        let lost_answers: Vec<&LostAnswers> =
            all.iter().filter_map(|findings| findings.lost_answers.as_ref()).collect();
        let leaving: Vec<&Leaving> = all.iter().filter_map(|findings| findings.leaving.as_ref()).collect();
        Self {
            counts: Counts::sum(all.iter().map(|findings| &findings.counts)),
            ledgers,
            recoveries: all.iter().flat_map(|findings| findings.recoveries.clone()).collect(),
            away: all.iter().flat_map(|findings| findings.away.clone()).collect(),
            beats: all.iter().flat_map(|findings| findings.beats.clone()).collect(),
            not_there_when_told: all.iter().map(|findings| findings.not_there_when_told).sum(),
            left_in_transaction: all.iter().map(|findings| findings.left_in_transaction).sum(),
            leaving: (!leaving.is_empty()).then(|| Leaving::sum(leaving)),
            ready: all.iter().flat_map(|findings| findings.ready.clone()).collect(),
            lost_answers: (!lost_answers.is_empty()).then(|| LostAnswers::sum(lost_answers)),
        }
    }

    /// The ledger of all products together.
    pub fn ledger(&self) -> Ledger {
        Ledger::sum(self.ledgers.values().copied())
    }

    /// How many answers of `/health` were still missing when their limit was over.
    pub fn late_beats(&self) -> usize {
        self.beats.iter().filter(|beat| beat.is_late()).count()
    }

    /// The longest time from the end of the fault to the first sale by any strategy. `None` if once there was no sale.
    pub fn slowest_recovery(&self) -> Option<Duration> {
        let first = |recovery: &Recovery| recovery.strategies.values().flatten().min().copied();
        self.longest(first)
    }

    /// The same as `slowest_recovery`, but to the first sale of the strategy that took longest.
    pub fn slowest_recovery_of_all(&self) -> Option<Duration> {
        let last = |recovery: &Recovery| {
            let all: Option<Vec<Duration>> = recovery.strategies.values().copied().collect();
            all?.into_iter().max()
        };
        self.longest(last)
    }

    fn longest(&self, time: impl Fn(&Recovery) -> Option<Duration>) -> Option<Duration> {
        let times: Option<Vec<Duration>> = self.recoveries.iter().map(time).collect();
        times?.into_iter().max()
    }
}
