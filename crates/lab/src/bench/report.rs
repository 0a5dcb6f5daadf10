//! What a benchmark has measured, as JSON and CSV. The meaning of each figure is in [`super::definitions`].

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::conditions::Conditions;
use super::cpu::CpuSeconds;
use super::options::BenchOptions;
use super::pgbench::Script;
use super::spread::Spread;
use super::tally::Tally;

/// The report of a benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// Whether every ledger was right.
    pub is_right: bool,
    /// When the last round had ended.
    pub ended_at: DateTime<Utc>,
    /// How it was run.
    pub options: BenchOptions,
    /// On what it was run.
    pub conditions: Conditions,
    /// Whether pgbench took its turn: "yes", or why not.
    pub pgbench: String,
    /// The most memory that a replica had, in MiB; `None` where that is not known.
    pub replica_peak_memory_mib: Option<f64>,
    /// The figures, a row for each strategy and crowd.
    pub rows: Vec<Benched>,
}

/// A strategy's figures with one crowd, as JSON.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Benched {
    /// The figures.
    #[serde(flatten)]
    pub row: BenchRow,
    /// The errors, and how many there were of each: `{"500": 2}`.
    pub failures: BTreeMap<String, u64>,
}

/// A strategy's figures with one crowd; [`super::definitions::DEFINITIONS`] says what each is.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "they are defined in one place")]
pub struct BenchRow {
    pub strategy: String,
    pub buyers: usize,
    pub products: usize,
    pub rounds: usize,
    pub ledger: String,
    pub purchases: u64,
    pub per_second: Option<f64>,
    pub per_second_min: Option<f64>,
    pub per_second_max: Option<f64>,
    pub pgbench_script: String,
    pub pgbench_per_second: Option<f64>,
    pub ratio: Option<f64>,
    pub ratio_min: Option<f64>,
    pub ratio_max: Option<f64>,
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub max_ms: Option<f64>,
    pub conflicts: u64,
    pub busy: u64,
    pub gave_up: u64,
    pub errors: u64,
    pub dropped: u64,
    pub replicas_cpu_us: Option<f64>,
    pub gateway_cpu_us: Option<f64>,
    pub postgresql_cpu_us: Option<f64>,
    pub load_cpu_us: Option<f64>,
    pub load_share: Option<f64>,
    pub processors_used: Option<f64>,
}

/// The word for a ledger without a flaw.
pub const RIGHT: &str = "right";

/// One round of a strategy.
pub struct BenchRound {
    /// What the buyers noted.
    pub tally: Tally,
    /// Processor time from before the first purchase until after the last one.
    pub cpu: Option<CpuSeconds>,
    /// How long that was, in seconds.
    pub lasted: f64,
    /// What pgbench did with the statements of the same script shortly before.
    pub pgbench_per_second: Option<f64>,
}

impl Benched {
    /// Sums up the rounds of a strategy. With a `flaw`, its rounds give no figures.
    pub fn sum_up(
        (strategy, buyers, products): (&str, usize, usize),
        rounds: Vec<BenchRound>,
        seconds: f64,
        flaw: Option<String>,
    ) -> Self {
        let script = Script::of(strategy).name().to_owned();
        let mut row = BenchRow {
            strategy: strategy.to_owned(),
            buyers,
            products,
            rounds: rounds.len(),
            pgbench_script: script,
            ledger: RIGHT.to_owned(),
            ..BenchRow::default()
        };
        if let Some(flaw) = flaw {
            row.ledger = flaw;
            return Self { row, failures: BTreeMap::new() };
        }
        let rates: Vec<f64> = rounds.iter().map(|round| round.tally.in_time as f64 / seconds).collect();
        let references: Vec<f64> = rounds.iter().filter_map(|round| round.pgbench_per_second).collect();
        let ratios = rates.iter().zip(&references).map(|(rate, reference)| rate / reference).collect();
        if let Some(spread) = Spread::of(rates) {
            row.per_second = Some(spread.median);
            (row.per_second_min, row.per_second_max) = (Some(spread.min), Some(spread.max));
        }
        row.pgbench_per_second = Spread::of(references).map(|spread| spread.median);
        if let Some(spread) = Spread::of(ratios) {
            row.ratio = Some(spread.median);
            (row.ratio_min, row.ratio_max) = (Some(spread.min), Some(spread.max));
        }
        let lasted: f64 = rounds.iter().map(|round| round.lasted).sum();
        let (mut tally, mut cpu) = (Tally::default(), Some(CpuSeconds::default()));
        for round in rounds {
            tally.add(round.tally);
            cpu = cpu.zip(round.cpu).map(|(mut sum, more)| {
                sum.add(more);
                sum
            });
        }
        row.note_tally(&tally);
        if let Some(cpu) = cpu {
            row.note_cpu(cpu, lasted);
        }
        Self { row, failures: tally.failures }
    }
}

impl BenchRow {
    fn note_tally(&mut self, tally: &Tally) {
        let latency = |quantile| tally.latency.value_at_quantile(quantile) as f64 / 1000.0;
        if !tally.latency.is_empty() {
            (self.p50_ms, self.p99_ms) = (Some(latency(0.5)), Some(latency(0.99)));
            self.max_ms = Some(tally.latency.max() as f64 / 1000.0);
        }
        self.purchases = tally.orders.len() as u64;
        (self.conflicts, self.busy, self.gave_up) = (tally.conflicts, tally.busy, tally.gave_up);
        (self.errors, self.dropped) = (tally.errors(), tally.unsent + tally.silent);
    }

    fn note_cpu(&mut self, cpu: CpuSeconds, lasted: f64) {
        let per_purchase = |seconds: f64| Some(seconds * 1e6 / self.purchases.max(1) as f64);
        self.replicas_cpu_us = per_purchase(cpu.replicas);
        self.gateway_cpu_us = per_purchase(cpu.gateway);
        self.postgresql_cpu_us = per_purchase(cpu.postgresql);
        self.load_cpu_us = per_purchase(cpu.load);
        self.load_share = (cpu.all() > 0.0).then(|| cpu.load / cpu.all());
        self.processors_used = (lasted > 0.0).then(|| cpu.all() / lasted);
    }

    /// Whether the ledger of every round was right.
    pub fn is_right(&self) -> bool {
        self.ledger == RIGHT
    }
}

impl BenchReport {
    /// A line of names, then a line for each row.
    ///
    /// # Errors
    /// Never, as far as we know: the table holds only figures and names.
    pub fn to_csv(&self) -> anyhow::Result<String> {
        let mut lines = csv::Writer::from_writer(Vec::new());
        for benched in &self.rows {
            lines.serialize(&benched.row)?;
        }
        String::from_utf8(lines.into_inner()?).context("the figures as CSV")
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use uuid::Uuid;

    use super::*;

    fn round(sales: u64, pgbench: f64) -> BenchRound {
        let (mut tally, now) = (Tally::default(), Instant::now());
        for _ in 0..sales {
            tally.note_sale(Uuid::nil(), now, now + Duration::from_secs(60));
        }
        let cpu = CpuSeconds { replicas: 0.5, gateway: 0.25, postgresql: 1.0, load: 0.25 };
        BenchRound { tally, cpu: Some(cpu), lasted: 2.0, pgbench_per_second: Some(pgbench) }
    }

    #[test]
    fn a_ratio_is_that_of_one_round_and_not_of_two_medians() {
        let rounds = vec![round(100, 100.0), round(300, 600.0), round(200, 100.0)];

        let Benched { row, .. } = Benched::sum_up(("batched", 16, 1), rounds, 2.0, None);

        assert_eq!(
            (row.per_second, row.per_second_min, row.per_second_max),
            (Some(100.0), Some(50.0), Some(150.0))
        );
        assert_eq!((row.ratio, row.ratio_min, row.ratio_max), (Some(0.5), Some(0.25), Some(1.0)));
        assert_eq!((row.purchases, row.pgbench_per_second), (600, Some(100.0)));
        assert_eq!(
            (row.replicas_cpu_us, row.load_share, row.processors_used),
            (Some(2500.0), Some(0.125), Some(1.0))
        );
    }

    #[test]
    fn rounds_with_a_wrong_ledger_give_no_figure() {
        let flaw = Some("1 order beyond the stock".to_owned());

        let Benched { row, .. } = Benched::sum_up(("nowait", 16, 1), vec![round(5, 1.0)], 1.0, flaw);

        assert!(!row.is_right());
        assert_eq!((row.per_second, row.ratio, row.p50_ms, row.purchases), (None, None, None, 0));
    }
}
