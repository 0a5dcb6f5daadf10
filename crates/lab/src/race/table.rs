//! The report of a race, as a person reads it.

use super::options::RaceOptions;
use super::report::{RaceReport, RaceRow, Raced};
use super::verdict::RaceVerdict;
use crate::shop::contestant::Strategy;
use crate::table::{align, with_heading};
use crate::wording::{counted, on_wiretap};
use crate::wrap::wrapped;

const LEGEND: &str = "Times in milliseconds, from a buyer's first request to their last answer, pauses \
                      before retries included.\nWhat each figure is: make race ARGS=--help";

/// The width of the list of strategies, and below it the width of the column with their names.
const WIDTH: usize = 108;
const NAME_WIDTH: usize = 18;

/// The list of strategies, with what each of them does.
pub fn list(strategies: &[Strategy]) -> String {
    let entry = |Strategy { name, description, loser_gets, .. }: &Strategy| {
        let late = format!("a buyer who is too late gets: {loser_gets}");
        let lines = [description, &late].into_iter().flat_map(|text| wrapped(text, WIDTH - NAME_WIDTH));
        let indented: Vec<String> = lines.collect();
        format!("{name:<NAME_WIDTH$}{}\n", indented.join(&format!("\n{:NAME_WIDTH$}", "")))
    };
    strategies.iter().map(entry).collect()
}

/// The tables, and what is needed to repeat the race.
pub fn text(report: &RaceReport) -> String {
    let sales = align(&sales_rows(&report.strategies));
    let costs = align(&cost_rows(&report.strategies));
    let failures: String = report.strategies.iter().map(failure_lines).collect();
    let conditions = conditions(report);
    format!(
        "{conditions}\n\n{sales}\n{costs}\n{failures}{LEGEND}\n{}\n\n{}\n",
        on_wiretap(report.wiretap),
        closing(report)
    )
}

fn conditions(report: &RaceReport) -> String {
    let RaceOptions { stock, buyers, rounds, concurrency, window_ms, retry, patience_seconds, seed } =
        report.options;
    let window = window_ms.map_or("as the shop has it".to_owned(), |window| format!("{window} ms"));
    let retries = if retry { format!("for up to {patience_seconds} s") } else { "none".to_owned() };
    let database = &report.database;
    format!(
        "rounds: {rounds}, copies: {stock}, buyers: {buyers}, at once: {}, race window: {window}, \
         retries: {retries}, seed: {seed}\nPostgreSQL: synchronous_commit {}, fsync {}",
        concurrency.min(buyers),
        database.synchronous_commit,
        database.fsync
    )
}

fn sales_rows(strategies: &[Raced]) -> Vec<Vec<String>> {
    let heading = ["strategy", "sold", "oversold", "lost", "refused", "gave up", "errors", "verdict"];
    let row = |Raced { row, .. }: &Raced| {
        let counts = [row.sold, row.oversold, row.lost_sales, row.refused, row.gave_up, row.errors];
        let mut cells = vec![row.strategy.clone()];
        cells.extend(counts.map(|count| count.to_string()));
        cells.push(verdict(row));
        cells
    };
    with_heading(heading, strategies.iter().map(row))
}

fn cost_rows(strategies: &[Raced]) -> Vec<Vec<String>> {
    let heading = [
        "strategy",
        "sold/s",
        "winners p50",
        "p95",
        "p99",
        "losers p50",
        "p95",
        "p99",
        "conflicts",
        "busy",
        "retries",
    ];
    let row = |Raced { row, .. }: &Raced| {
        let waits = [
            row.winners_p50_ms,
            row.winners_p95_ms,
            row.winners_p99_ms,
            row.losers_p50_ms,
            row.losers_p95_ms,
            row.losers_p99_ms,
        ];
        let mut cells = vec![row.strategy.clone(), format!("{:.0}", row.sold_per_second)];
        cells.extend(waits.map(milliseconds));
        cells.extend([row.conflicts, row.busy, row.retries].map(|count| count.to_string()));
        cells
    };
    with_heading(heading, strategies.iter().map(row))
}

fn milliseconds(time: Option<f64>) -> String {
    match time {
        None => "-".to_owned(),
        Some(time) if time < 99.95 => format!("{time:.1}"),
        Some(time) => format!("{time:.0}"),
    }
}

fn verdict(row: &RaceRow) -> String {
    let RaceRow { oversold, oversold_rounds, rounds, .. } = row;
    match row.verdict {
        RaceVerdict::Ok => "ok".to_owned(),
        RaceVerdict::OversoldAsItMust => format!("oversold in {oversold_rounds} of {rounds} (expected)"),
        RaceVerdict::OversoldAsItMay => format!("oversold in {oversold_rounds} of {rounds} (allowed)"),
        RaceVerdict::Oversold => format!("OVERSOLD by {oversold}"),
        RaceVerdict::LostSales => "LOST SALES".to_owned(),
        RaceVerdict::Dishonest => format!("DISHONEST: {}", counted(row.dishonest, "answer")),
        RaceVerdict::NotConserved => format!("NOT CONSERVED in {} of {rounds}", row.unconserved_rounds),
        RaceVerdict::Errors => "ERRORS".to_owned(),
    }
}

fn failure_lines(raced: &Raced) -> String {
    let line = |(what, times): (&String, &usize)| format!("{}: {times} × {what}\n", raced.row.strategy);
    raced.failures.iter().map(line).collect()
}

fn closing(report: &RaceReport) -> String {
    let wrong = report.strategies.iter().filter(|raced| !raced.row.verdict.is_right());
    let wrong: Vec<&str> = wrong.map(|raced| raced.row.strategy.as_str()).collect();
    match (wrong.len(), report.strategies.len()) {
        (0, 1) => "It kept the rules.".to_owned(),
        (0, all) => format!("All {all} kept the rules."),
        (count, all) => {
            format!("{count} of {all} broke a rule: {}. Look at: make logs", wrong.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_below_a_tenth_of_a_second_have_a_decimal() {
        assert_eq!(
            [None, Some(1.25), Some(99.94), Some(99.96), Some(1234.5)].map(milliseconds),
            ["-", "1.2", "99.9", "100", "1234"]
        );
    }
}
