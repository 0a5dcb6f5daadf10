//! What a check, a race, an exploration or a click in slow motion tells while it runs, one message in a line of JSON.
//! This module imports nothing of the dashboard, and both ends import it: the lab writes these messages, and the
//! dashboard reads them.

use chrono::{DateTime, Utc};
use flash_sale_diagnosis::{Diagnosis, WhyItHolds};
use serde::{Deserialize, Serialize};

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineMessage {
    /// How far it is.
    Progress(Progress),
    /// One check of `make check` is finished.
    Check(FinishedCheck),
    /// The verdict of `make check`: its last message.
    Judged(JudgedShop),
    /// The figures of `make race`: its last message.
    Raced(RacedStrategies),
    /// All schedules: the last message of an exploration.
    Explored(ExploredSchedules),
    /// The click of a slow motion is sent now.
    Clicked(SentClick),
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What it does just now.
    pub doing: String,
    /// How many steps are done.
    pub done: usize,
    /// How many steps there are. 0: nobody knows.
    pub all: usize,
}

/// A click of a slow motion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentClick {
    /// When it was sent. Its purchases begin later.
    pub at: DateTime<Utc>,
}

/// A check, and when it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishedCheck {
    /// What was found.
    pub check: SeenCheck,
    /// When the purchases began that it looked at.
    pub from: DateTime<Utc>,
    /// When they had ended.
    pub to: DateTime<Utc>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenCheck {
    /// Its name: "one click".
    pub name: String,
    /// Whether it is as it should be.
    pub passed: bool,
    /// What was seen.
    pub seen: String,
    /// What that means.
    pub meaning: Option<String>,
    /// Where in the code to look. Only when a person has asked for it.
    pub place: Option<String>,
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedShop {
    /// "fixed" and so on.
    pub verdict: String,
    /// The verdict in a line.
    pub closing: String,
    /// All checks, in the order in which `make check` prints them.
    pub checks: Vec<SeenCheck>,
    /// The mistake, when it could be named.
    #[serde(default)]
    pub mistake: Option<Diagnosis>,
    /// Why the fix holds, when that could be seen.
    #[serde(default)]
    pub why: Option<WhyItHolds>,
    /// What the fix costs.
    pub costs: Vec<String>,
}

/// The figures of a race.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RacedStrategies {
    /// Whether every strategy did only what it may.
    pub is_right: bool,
    /// How the race was run.
    pub options: RaceFigures,
    /// A row for each strategy.
    pub strategies: Vec<RacedStrategy>,
}

/// How a race was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaceFigures {
    /// Copies in each round.
    pub stock: u32,
    /// Buyers in each round.
    pub buyers: usize,
    /// Rounds for each strategy.
    pub rounds: usize,
    /// How long a payment took, in milliseconds.
    pub window_ms: Option<u16>,
}

/// A strategy's figures. `make race ARGS=--help` says what each is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are defined in one place")]
pub struct RacedStrategy {
    pub strategy: String,
    pub verdict: String,
    pub sold: usize,
    pub oversold: usize,
    pub lost_sales: usize,
    pub errors: usize,
    pub retries: usize,
    pub winners_p50_ms: Option<f64>,
    pub winners_p95_ms: Option<f64>,
    pub losers_p50_ms: Option<f64>,
    pub losers_p95_ms: Option<f64>,
    pub sold_per_second: f64,
}

/// What an exploration has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExploredSchedules {
    /// Whether there is no other schedule.
    pub is_complete: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How many schedules were played.
    pub played: usize,
    /// The schedules, in the order in which they were played. Only the first ones, if there are many.
    pub schedules: Vec<ExploredSchedule>,
    /// What the explorer could not control or see, in sentences.
    pub notes: Vec<String>,
}

/// A schedule: one order of the statements of two purchases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExploredSchedule {
    /// The purchases that went on, one letter for each step: `AABBA`.
    pub letters: String,
    /// The worst rule that it broke. `None`: it broke none.
    pub flaw: Option<BrokenRule>,
    /// Whether a statement waited for the other purchase's lock.
    pub has_waited: bool,
    /// Copies that were left.
    pub left: i64,
    /// Orders that were made.
    pub orders: usize,
    /// The HTTP status of each buyer's answer. `None`: no answer came.
    pub answers: Vec<Option<u16>>,
}

/// A rule that every shop must keep, and that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokenRule {
    /// More copies were sold than there were.
    Oversold,
    /// An answer was not true.
    Dishonest,
    /// Stock and orders together are not what they were.
    Unconserved,
    /// A buyer was told "Out of stock", and a copy is left.
    LostSale,
    /// A request failed.
    Failed,
}
