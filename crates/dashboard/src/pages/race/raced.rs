//! A race as a page shows it: a table and charts, or how far it is.

use super::form::in_words;
use crate::charts::{Chart, DrawnRace, draw};
use crate::engine_messages::RacedStrategy;
use crate::pages::seconds;
use crate::problem::Problem;
use crate::run::Run;

/// A race.
pub struct ShownRace {
    /// The run.
    pub run: Run,
    /// What was asked for.
    pub what: String,
    /// When it began.
    pub began_at: String,
    /// How long it has taken so far.
    pub seconds: String,
    /// A row for each strategy.
    pub rows: Vec<RacedRow>,
    /// The same as charts.
    pub charts: Vec<Chart>,
}

/// A strategy's figures in words.
pub struct RacedRow {
    /// Its name.
    pub strategy: String,
    /// Its verdict.
    pub verdict: String,
    /// Whether the verdict is that something went wrong.
    pub is_bad: bool,
    /// The figures, in the order of [`COLUMNS`].
    pub figures: Vec<String>,
}

/// The heads of the figures.
pub const COLUMNS: [&str; 10] = [
    "Sold",
    "Oversold",
    "Lost sales",
    "Errors",
    "Retries",
    "Sold per second",
    "Winners p50, ms",
    "Winners p95, ms",
    "Losers p50, ms",
    "Losers p95, ms",
];

impl ShownRace {
    /// The view of this run.
    ///
    /// # Errors
    /// When a chart can't be drawn.
    pub fn of(run: &Run) -> Result<Self, Problem> {
        let strategies = run.raced.as_ref().map_or(&[][..], |raced| &raced.strategies);
        let charts = if strategies.is_empty() {
            Vec::new()
        } else {
            draw(&[DrawnRace { name: None, strategies }]).map_err(|error| Problem::internal(&error))?
        };
        Ok(Self {
            what: in_words(&run.order),
            began_at: run.began_at.format("%H:%M:%S").to_string(),
            seconds: seconds(run),
            rows: strategies.iter().map(RacedRow::of).collect(),
            charts,
            run: run.clone(),
        })
    }
}

impl RacedRow {
    /// The row of this strategy.
    pub fn of(raced: &RacedStrategy) -> Self {
        let ms = |wait: Option<f64>| wait.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0}"));
        Self {
            strategy: raced.strategy.clone(),
            verdict: raced.verdict.replace('_', " "),
            is_bad: !matches!(raced.verdict.as_str(), "ok" | "oversold_as_it_must" | "oversold_as_it_may"),
            figures: vec![
                raced.sold.to_string(),
                raced.oversold.to_string(),
                raced.lost_sales.to_string(),
                raced.errors.to_string(),
                raced.retries.to_string(),
                format!("{:.0}", raced.sold_per_second),
                ms(raced.winners_p50_ms),
                ms(raced.winners_p95_ms),
                ms(raced.losers_p50_ms),
                ms(raced.losers_p95_ms),
            ],
        }
    }
}
