//! The report of a benchmark, as the page Benchmark and its charts need it. `make bench` writes more than this
//! (`crates/lab/src/bench/report.rs`), and says what each figure means: `make bench ARGS=--help`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// A benchmark has about 15 strategies and ten crowds. What has more is not ours, and no page could show it.
const MOST_ROWS: usize = 1000;
/// In characters: the name of a strategy, a flaw of a ledger, the name of a processor.
const LONGEST_TEXT: usize = 200;
/// No figure of ours comes near. A chart must be able to draw it.
const LARGEST_FIGURE: f64 = 1e9;

/// The report of a benchmark.
#[derive(Clone, Debug, Deserialize)]
pub struct MeasuredStrategies {
    /// Whether every ledger was right.
    pub is_right: bool,
    /// When the last round had ended.
    pub ended_at: DateTime<Utc>,
    /// How it was run.
    pub options: MeasuringOptions,
    /// On what it was run.
    pub conditions: MeasuringConditions,
    /// Whether pgbench took its turn: "yes", or why not.
    pub pgbench: String,
    /// The most memory that a replica had, in MiB.
    pub replica_peak_memory_mib: Option<f64>,
    /// A row for each strategy and crowd.
    pub rows: Vec<MeasuredStrategy>,
}

/// How a benchmark was run.
#[derive(Clone, Debug, Deserialize)]
pub struct MeasuringOptions {
    /// How many rounds each strategy had.
    pub rounds: usize,
    /// How long a round was.
    pub seconds: f64,
    /// Open loop: how many purchases were due in a second. `None`: closed loop, each buyer bought again at once.
    pub rate: Option<f64>,
}

/// On what a benchmark was run.
#[derive(Clone, Debug, Deserialize)]
pub struct MeasuringConditions {
    /// How many processors the programs could use.
    pub processors: usize,
    /// What the processor is called.
    pub processor: Option<String>,
    /// PostgreSQL's version and settings.
    pub postgresql: BTreeMap<String, String>,
    /// How long the disk took to write and flush 8 KiB, in milliseconds.
    pub flush_ms: f64,
    /// The commit of the files, with "+" when files had changed since.
    pub commit: Option<String>,
    /// "release" or "dev": how the shop was built.
    pub shop_build: String,
    /// How many replicas there were.
    pub replicas: usize,
    /// What a lock on one row allows at most.
    pub ceiling: MeasuredCeiling,
}

/// What a lock on one row allows.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct MeasuredCeiling {
    /// How long a lone buyer holds the row, in milliseconds.
    pub lock_and_commit_ms: f64,
    /// One second divided by that time.
    pub per_second: f64,
}

/// A strategy's figures with one crowd. `make bench ARGS=--help` says what each is.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "they are defined in one place")]
pub struct MeasuredStrategy {
    pub strategy: String,
    pub buyers: usize,
    pub products: usize,
    pub ledger: String,
    pub per_second: Option<f64>,
    pub per_second_min: Option<f64>,
    pub per_second_max: Option<f64>,
    pub pgbench_per_second: Option<f64>,
    pub ratio: Option<f64>,
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub max_ms: Option<f64>,
    pub conflicts: u64,
    pub busy: u64,
    pub errors: u64,
    pub dropped: u64,
    pub replicas_cpu_us: Option<f64>,
    pub gateway_cpu_us: Option<f64>,
    pub postgresql_cpu_us: Option<f64>,
    pub load_cpu_us: Option<f64>,
}

impl MeasuredStrategies {
    /// Reads a report.
    ///
    /// # Errors
    /// When the text is no report of a benchmark, or nothing could be drawn of it: the reason, for a page.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut json = serde_json::Deserializer::from_str(text);
        let read: Self = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            // The reason may quote what is in the file.
            error.to_string().chars().take(LONGEST_TEXT).collect::<String>()
        })?;
        json.end().map_err(|error| error.to_string())?;
        read.require_sane()?;
        Ok(read)
    }

    /// The crowds that were measured: their numbers of buyers and products.
    pub fn crowds(&self) -> BTreeSet<(usize, usize)> {
        self.rows.iter().map(|row| (row.buyers, row.products)).collect()
    }

    fn require_sane(&self) -> Result<(), String> {
        if self.rows.is_empty() || self.rows.len() > MOST_ROWS {
            return Err(format!("it has {} rows", self.rows.len()));
        }
        let conditions = &self.conditions;
        let of_rows = self.rows.iter().flat_map(|row| [&row.strategy, &row.ledger]);
        let others = [&self.pgbench, &conditions.shop_build].into_iter();
        let others = others.chain(&conditions.processor).chain(&conditions.commit);
        for text in of_rows.chain(others).chain(conditions.postgresql.values()) {
            if text.chars().count() > LONGEST_TEXT {
                return Err(format!("it has a text of {} characters", text.chars().count()));
            }
        }
        let ceiling = conditions.ceiling;
        let of_all = [conditions.flush_ms, ceiling.lock_and_commit_ms, ceiling.per_second];
        let of_all = of_all.into_iter().chain(self.replica_peak_memory_mib);
        let figures = of_all.chain(self.rows.iter().flat_map(MeasuredStrategy::figures));
        for figure in figures {
            if !(0.0..=LARGEST_FIGURE).contains(&figure) {
                return Err(format!("it has the figure {figure}"));
            }
        }
        Ok(())
    }
}

impl MeasuredStrategy {
    /// The processor time of a purchase, in microseconds: of the replicas, the gateway, PostgreSQL and the load. `None`
    /// where it was not measured.
    pub fn cpu_us(&self) -> Option<[f64; 4]> {
        Some([self.replicas_cpu_us?, self.gateway_cpu_us?, self.postgresql_cpu_us?, self.load_cpu_us?])
    }

    /// What a chart may draw.
    fn figures(&self) -> impl Iterator<Item = f64> {
        let speed = [self.per_second, self.per_second_min, self.per_second_max, self.pgbench_per_second];
        let waits = [self.ratio, self.p50_ms, self.p99_ms, self.max_ms];
        let cpu = [self.replicas_cpu_us, self.gateway_cpu_us, self.postgresql_cpu_us, self.load_cpu_us];
        speed.into_iter().chain(waits).chain(cpu).flatten()
    }
}

/// The figure as a table shows it, or "-" where there is none.
pub fn number(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or("-".to_owned(), |figure| format!("{figure:.decimals$}"))
}

/// Both figures as a table shows them, or "-" where there are none.
pub fn range(min: Option<f64>, max: Option<f64>, decimals: usize) -> String {
    let both = min.zip(max);
    both.map_or("-".to_owned(), |(min, max)| format!("{min:.decimals$}-{max:.decimals$}"))
}
