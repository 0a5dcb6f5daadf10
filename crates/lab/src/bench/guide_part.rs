//! The part of a document that a benchmark writes: its conditions, its table, and links to its charts. It stands between
//! two lines of the document, which are comments there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use flash_sale_dashboard::bench_charts::{BenchChart, crowd_in_words};
use flash_sale_dashboard::measured::{number, range};

use super::chart_files;
use super::report::{BenchReport, BenchRow};
use super::table;
use crate::wrap::wrapped;

/// The line before the part.
pub const BEGIN: &str = "<!-- Written by make bench, from here -->";
/// The line behind the part.
pub const END: &str = "<!-- Written by make bench, to here -->";
/// The crowd that the table shows, where it was measured. Otherwise, it shows the first one.
const USUAL_CROWD: (usize, usize) = (16, 1);
/// The prose of a document ends its lines here.
const LINE_LENGTH: usize = 120;

/// A document with such a part.
pub struct GuidePart {
    path: PathBuf,
    before: String,
    after: String,
}

impl GuidePart {
    /// Finds the part.
    ///
    /// # Errors
    /// When the document can't be read or written, or the two lines are not there once each, in their order.
    pub fn find(path: &Path) -> anyhow::Result<Self> {
        let opened = || format!("can't change {}", path.display());
        let text = fs::read_to_string(path).with_context(opened)?;
        fs::OpenOptions::new().append(true).open(path).with_context(opened)?;
        let line = |mark: &str| {
            let mut at = 0;
            let places: Vec<usize> = text
                .split_inclusive('\n')
                .filter_map(|line| {
                    at += line.len();
                    (line.trim_end() == mark).then_some(at - line.len())
                })
                .collect();
            ensure!(places.len() == 1, "the line {mark} stands {} times in {}", places.len(), path.display());
            Ok(places[0])
        };
        let (begin, end) = (line(BEGIN)?, line(END)?);
        ensure!(begin <= end, "the line {BEGIN} stands behind {END} in {}", path.display());
        Ok(Self { path: path.to_owned(), before: text[..begin].to_owned(), after: text[end..].to_owned() })
    }

    /// Writes the part anew, with these charts, which are in `folder`.
    ///
    /// # Errors
    /// When the document can't be written.
    pub fn write(&self, report: &BenchReport, charts: &[BenchChart], folder: &Path) -> anyhow::Result<()> {
        let part = part(report, charts, folder);
        let text = format!("{}{BEGIN}\n\n{part}\n{}", self.before, self.after);
        fs::write(&self.path, text).with_context(|| format!("can't write {}", self.path.display()))
    }
}

fn part(report: &BenchReport, charts: &[BenchChart], folder: &Path) -> String {
    let crowds = report.options.crowds();
    let crowd = crowds.iter().find(|crowd| **crowd == USUAL_CROWD).or(crowds.first()).copied();
    let crowd = crowd.unwrap_or(USUAL_CROWD);
    let rows = report.rows.iter().map(|benched| &benched.row);
    let mut rows: Vec<&BenchRow> = rows.filter(|row| (row.buyers, row.products) == crowd).collect();
    rows.sort_by(|one, other| other.per_second.unwrap_or(-1.0).total_cmp(&one.per_second.unwrap_or(-1.0)));
    let rows: String = rows.into_iter().map(line).collect();
    let shown = charts.iter().filter(|chart| chart.crowd.is_none_or(|own| own == crowd));
    let links: Vec<String> = shown
        .map(|chart| format!("![{}]({})\n", chart.title, chart_files::path_of(folder, chart).display()))
        .collect();
    let crowd = crowd_in_words(crowd);
    let date = report.ended_at.format("%Y-%m-%d");
    let mut conditions = item(&format!("{date}: {crowd}."));
    conditions.extend(table::conditions(report).lines().map(|line| item(&as_a_sentence(line))));
    format!(
        "{conditions}\n\
         | strategy | sold a second | slowest and fastest round | pgbench | ratio | p50, ms | p99, ms | CPU of the shop, µs \
         | CPU of PostgreSQL, µs |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n{rows}\n{}",
        links.join("\n")
    )
}

/// An item of a list.
fn item(text: &str) -> String {
    format!("- {}\n", wrapped(text, LINE_LENGTH - 2).join("\n  "))
}

fn as_a_sentence(line: &str) -> String {
    let mut characters = line.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", characters.as_str().trim_end_matches('.'))
}

fn line(row: &BenchRow) -> String {
    let of_shop = row.replicas_cpu_us.zip(row.gateway_cpu_us).map(|(replicas, gateway)| replicas + gateway);
    let cells = [
        format!("`{}`", row.strategy),
        number(row.per_second, 0),
        range(row.per_second_min, row.per_second_max, 0),
        number(row.pgbench_per_second, 0),
        number(row.ratio, 2),
        number(row.p50_ms, 1),
        number(row.p99_ms, 1),
        number(of_shop, 0),
        number(row.postgresql_cpu_us, 0),
    ];
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_conditions_is_a_sentence() {
        assert_eq!(as_a_sentence("ceiling: 5/s. Nobody can buy."), "Ceiling: 5/s. Nobody can buy.");
        assert_eq!(as_a_sentence("pgbench: yes"), "Pgbench: yes.");
    }

    #[test]
    fn a_strategy_without_figures_keeps_its_row() {
        let row = BenchRow { strategy: "nowait".to_owned(), ..BenchRow::default() };

        assert_eq!(line(&row), "| `nowait` | - | - | - | - | - | - | - | - |\n");
    }
}
