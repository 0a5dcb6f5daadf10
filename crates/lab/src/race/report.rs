//! What a race has measured, as JSON and CSV. The meaning of each figure is in [`super::definitions`].

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use super::crowd::RaceRound;
use super::options::RaceOptions;
use super::rows::Durability;
use super::verdict::{RaceFindings, RaceVerdict};
use crate::shop::buy_request::BuyRequest;
use crate::shop::contestant::Contestant;
use crate::shop::ledger::Ledger;
use crate::shop::purchase::{Purchase, PurchaseEnding};
use crate::shop::told::Told;
use crate::statistics::Waits;

/// The report of a race.
#[derive(Clone, Debug, Serialize)]
pub struct RaceReport {
    /// Whether every strategy did only what it may.
    pub is_right: bool,
    /// The options of the race.
    pub options: RaceOptions,
    /// What PostgreSQL promised of a commit during the race. This decides much of the speed.
    pub database: Durability,
    /// Whether the wiretap stood between the replicas and PostgreSQL, which costs speed. `None`: that is not known.
    pub wiretap: Option<bool>,
    /// A row for each strategy, in the order in which they raced.
    pub strategies: Vec<Raced>,
}

/// The result of one strategy, over all its rounds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Raced {
    /// Its figures.
    #[serde(flatten)]
    pub row: RaceRow,
    /// The errors, and how many there were of each: `{"500": 2}`.
    pub failures: BTreeMap<String, usize>,
    /// The replicas, and how many buyers got their last answer from each.
    pub replicas: BTreeMap<String, usize>,
}

/// A strategy's figures; [`super::definitions::DEFINITIONS`] says what each is.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "they are defined in one place")]
pub struct RaceRow {
    pub strategy: String,
    pub verdict: RaceVerdict,
    pub rounds: usize,
    pub copies: usize,
    pub buyers: usize,
    pub sold: usize,
    pub oversold: usize,
    pub oversold_rounds: usize,
    pub lost_sales: usize,
    pub refused: usize,
    pub gave_up: usize,
    pub errors: usize,
    pub dishonest: usize,
    pub unconserved_rounds: usize,
    pub requests: usize,
    pub retries: usize,
    pub conflicts: usize,
    pub busy: usize,
    pub winners_p50_ms: Option<f64>,
    pub winners_p95_ms: Option<f64>,
    pub winners_p99_ms: Option<f64>,
    pub losers_p50_ms: Option<f64>,
    pub losers_p95_ms: Option<f64>,
    pub losers_p99_ms: Option<f64>,
    pub sold_per_second: f64,
}

impl RaceReport {
    /// Sums up the strategies.
    pub fn new(
        options: RaceOptions,
        database: Durability,
        wiretap: Option<bool>,
        strategies: Vec<Raced>,
    ) -> Self {
        let is_right = strategies.iter().all(|raced| raced.row.verdict.is_right());
        Self { is_right, options, database, wiretap, strategies }
    }

    /// A line of names, then a line for each strategy.
    ///
    /// # Errors
    /// Never, as far as we know: the table holds only figures and names.
    pub fn to_csv(&self) -> anyhow::Result<String> {
        let mut lines = csv::Writer::from_writer(Vec::new());
        for raced in &self.strategies {
            lines.serialize(&raced.row)?;
        }
        String::from_utf8(lines.into_inner()?).context("the figures as CSV")
    }
}

impl Raced {
    /// Sums up the rounds of a strategy. `ledgers` has one ledger for each round.
    pub fn sum_up(contestant: &Contestant, rounds: &[RaceRound], ledgers: &[Ledger], stock: u32) -> Self {
        let purchases: Vec<&Purchase> = rounds.iter().flat_map(|round| &round.purchases).collect();
        let requests: Vec<&BuyRequest> = purchases.iter().flat_map(|purchase| &purchase.requests).collect();
        let last_requests = || purchases.iter().filter_map(|purchase| purchase.requests.last());
        let sum_ledgers = |figure: fn(&Ledger) -> usize| ledgers.iter().map(figure).sum::<usize>();
        let told = |what: &Told| requests.iter().filter(|request| request.told == *what).count();
        let count = |ending: &PurchaseEnding| {
            purchases.iter().filter(|purchase| purchase.ending() == *ending).count()
        };
        let waits = |is_meant: fn(&PurchaseEnding) -> bool| {
            let meant = purchases.iter().filter(|purchase| is_meant(&purchase.ending()));
            Waits::of(meant.map(|purchase| purchase.took()).collect())
        };

        // A buyer does not ask again after a failure, so a failure is the last request of its purchase.
        let failed = last_requests().filter(|request| request.told.leaves_open());
        let failures = tally(failed.map(BuyRequest::what_came_back));
        let findings = RaceFindings {
            unconserved_rounds: sum_ledgers(|ledger| ledger.unconserved),
            dishonest: sum_ledgers(|ledger| ledger.dishonest),
            oversold: sum_ledgers(|ledger| ledger.oversold),
            lost_sales: sum_ledgers(|ledger| ledger.lost_sales),
            errors: failures.values().sum(),
        };
        let sold = sum_ledgers(|ledger| ledger.sold);
        let winners = waits(|ending| matches!(ending, PurchaseEnding::Sold(_)));
        let losers =
            waits(|ending| matches!(ending, PurchaseEnding::OutOfStock | PurchaseEnding::NotCarriedOut));
        let selling: f64 = rounds.iter().map(|round| round.selling_time().as_secs_f64()).sum();
        let row = RaceRow {
            strategy: contestant.name.clone(),
            verdict: RaceVerdict::of(&findings, contestant.oversell),
            rounds: rounds.len(),
            copies: rounds.len() * stock as usize,
            buyers: purchases.len(),
            sold,
            oversold: findings.oversold,
            oversold_rounds: sum_ledgers(|ledger| usize::from(ledger.oversold > 0)),
            lost_sales: findings.lost_sales,
            refused: count(&PurchaseEnding::OutOfStock),
            gave_up: count(&PurchaseEnding::NotCarriedOut),
            errors: findings.errors,
            dishonest: findings.dishonest,
            unconserved_rounds: findings.unconserved_rounds,
            requests: requests.len(),
            retries: requests.len() - purchases.len(),
            conflicts: told(&Told::Conflict),
            busy: told(&Told::NotCarriedOut),
            winners_p50_ms: winners.map(|waits| waits.p50),
            winners_p95_ms: winners.map(|waits| waits.p95),
            winners_p99_ms: winners.map(|waits| waits.p99),
            losers_p50_ms: losers.map(|waits| waits.p50),
            losers_p95_ms: losers.map(|waits| waits.p95),
            losers_p99_ms: losers.map(|waits| waits.p99),
            sold_per_second: if selling > 0.0 { sold as f64 / selling } else { 0.0 },
        };
        let replicas = tally(last_requests().map(|request| request.served_by.clone()));
        Self { row, failures, replicas }
    }
}

fn tally(names: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

impl RaceRound {
    /// The time from the first request of any buyer to the last 200.
    fn selling_time(&self) -> Duration {
        let requests = || self.purchases.iter().flat_map(|purchase| &purchase.requests);
        let first = requests().map(|request| request.answered_at - request.took).min();
        let sold = requests().filter(|request| matches!(request.told, Told::Sold(_)));
        let last = sold.map(|request| request.answered_at).max();
        last.zip(first).and_then(|(last, first)| last.duration_since(first).ok()).unwrap_or_default()
    }
}
