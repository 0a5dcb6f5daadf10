//! What a drill has found, as JSON. The meaning of each figure is in [`super::definitions`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::counts::Counts;
use super::fault::Fault;
use super::findings::DrillFindings;
use super::leaving::{Departures, Leaving};
use super::lost_answers::LostAnswers;
use super::options::DrillOptions;
use super::original::{FIGURES, Figure, SOURCE};
use super::soak::Soak;
use crate::shop::ledger::Ledger;
use crate::statistics::{Waits, milliseconds};

/// The report of a drill.
#[derive(Clone, Debug, Serialize)]
pub struct DrillReport {
    /// Whether every fault was survived. After a soak, nothing may have grown either.
    pub survived: bool,
    /// The options of the drill.
    pub options: DrillOptions,
    /// Whether the wiretap stood between the replicas and PostgreSQL.
    pub wiretap: bool,
    /// A row for each fault, in the order of the list.
    pub faults: Vec<DrillRow>,
    /// Faults that can't be done here, and why.
    pub skipped: BTreeMap<String, String>,
    /// What the soak used of the machine; `None` if the drill was no soak.
    pub soak: Option<Soak>,
    /// Figures of another system, for comparison.
    pub original: Original,
}

/// Figures of another system.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Original {
    /// The system, and where its figures come from.
    pub source: &'static str,
    /// The figures.
    pub figures: [Figure; 5],
}

/// A fault's figures; [`super::definitions::DEFINITIONS`] says what each is.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "they are defined in one place")]
pub struct DrillRow {
    pub fault: String,
    pub survived: bool,
    pub broken: Vec<String>,
    pub times: usize,
    #[serde(flatten)]
    pub counts: Counts,
    #[serde(flatten)]
    pub ledger: Ledger,
    pub recovery_ms: Option<f64>,
    pub recovery_of_all_ms: Option<f64>,
    pub replica_away_ms: Option<f64>,
    pub health_p99_ms: Option<f64>,
    pub health_longest_ms: Option<f64>,
    pub health_late: usize,
    pub not_there_when_told: usize,
    pub left_in_transaction: usize,
    pub leaving: Option<LeavingFigures>,
    pub ready_near_ms: Option<f64>,
    pub ready_far_ms: Option<f64>,
    pub lost_answers: Option<LostAnswers>,
}

/// How buyers left before their answer.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "they are defined in one place")]
pub struct LeavingFigures {
    pub left: usize,
    pub answered: usize,
    pub parts_of_life: usize,
    pub life_ms: BTreeMap<String, f64>,
    pub made: usize,
    pub taken_back: usize,
}

impl DrillReport {
    /// Sums up the faults.
    pub fn new(
        options: DrillOptions,
        wiretap: bool,
        faults: Vec<DrillRow>,
        skipped: BTreeMap<String, String>,
        soak: Option<Soak>,
    ) -> Self {
        let survived = faults.iter().all(|row| row.survived)
            && soak.as_ref().is_none_or(|soak| soak.growth.is_empty())
            && !faults.is_empty();
        let original = Original { source: SOURCE, figures: FIGURES };
        Self { survived, options, wiretap, faults, skipped, soak, original }
    }
}

impl DrillRow {
    /// Sums up the findings about one fault.
    pub fn new(
        fault: &Fault,
        times: usize,
        findings: &DrillFindings,
        may_oversell: &BTreeSet<String>,
    ) -> Self {
        let broken = findings.broken(fault, may_oversell);
        let beats: Vec<Duration> = findings.beats.iter().map(|beat| beat.took).collect();
        Self {
            fault: fault.name.to_owned(),
            survived: broken.is_empty(),
            broken,
            times,
            counts: findings.counts.clone(),
            ledger: findings.ledger(),
            recovery_ms: findings.slowest_recovery().map(milliseconds),
            recovery_of_all_ms: findings.slowest_recovery_of_all().map(milliseconds),
            replica_away_ms: findings.away.iter().max().copied().map(milliseconds),
            health_longest_ms: beats.iter().max().copied().map(milliseconds),
            health_p99_ms: Waits::of(beats).map(|waits| waits.p99),
            health_late: findings.late_beats(),
            not_there_when_told: findings.not_there_when_told,
            left_in_transaction: findings.left_in_transaction,
            leaving: findings.leaving.as_ref().map(LeavingFigures::new),
            ready_near_ms: findings.ready.iter().map(|ready| ready.near).max().map(milliseconds),
            ready_far_ms: findings.ready.iter().map(|ready| ready.far).min().map(milliseconds),
            lost_answers: findings.lost_answers.clone(),
        }
    }
}

impl LeavingFigures {
    fn new(leaving: &Leaving) -> Self {
        let life_ms =
            |(name, departures): (&String, &Departures)| (name.clone(), milliseconds(departures.life));
        Self {
            left: leaving.left(),
            answered: leaving.answered(),
            parts_of_life: leaving.parts(),
            life_ms: leaving.strategies.iter().map(life_ms).collect(),
            made: leaving.made,
            taken_back: leaving.taken_back,
        }
    }
}
