//! The report of a drill, as a person reads it.

use super::distance::FAR;
use super::leaving::PARTS;
use super::lost_answers::UnknownOutcomes;
use super::options::DrillOptions;
use super::report::{DrillReport, DrillRow, LeavingFigures};
use super::resources::{Resources, Usage};
use super::soak::Soak;
use crate::statistics;
use crate::table::{align, with_heading};
use crate::wording::{counted, on_wiretap};

const LEGEND: &str = "What each figure is: make drill ARGS=--help\n";

/// The tables, what is needed to repeat the drill, and the figures of the other system.
pub fn text(report: &DrillReport) -> String {
    let mut parts = vec![
        conditions(report),
        align(&answer_rows(&report.faults)),
        align(&wait_rows(&report.faults)),
        align(&ledger_rows(&report.faults)),
        leaving(&report.faults),
        distance(&report.faults),
        lost_answers(&report.faults),
        lines_of(report),
    ];
    parts.extend(report.soak.as_ref().map(soak));
    parts.extend([LEGEND.to_owned(), original(report), closing(report)]);
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn conditions(report: &DrillReport) -> String {
    let DrillOptions {
        strategies, buyers, seconds, burst, window_ms, seed, soak_minutes, far, leaving, ..
    } = &report.options;
    let (faults, load) = match soak_minutes {
        Some(minutes) => (format!("random faults for {minutes} min"), super::soak::LOAD.as_secs()),
        None => (format!("faults: {}", report.faults.len()), *seconds),
    };
    let strategies = strategies.join(", ");
    let far = if *far { "database: far away all the time, " } else { "" };
    let leaving = if *leaving { "buyers leave all the time, " } else { "" };
    format!(
        "{faults}, strategies: {strategies}\nsteady buyers: {buyers}, load: at least {load} s around each fault, \
         {far}{leaving}burst: {burst}, race window: {window_ms} ms, seed: {seed}\n{}\n",
        on_wiretap(Some(report.wiretap))
    )
}

fn answer_rows(faults: &[DrillRow]) -> Vec<Vec<String>> {
    let heading = [
        "clients saw",
        "times",
        "requests",
        "200",
        "400",
        "409",
        "503",
        "unknown",
        "no answer",
        "left",
        "settled",
        "wrong",
    ];
    let row = |row: &DrillRow| {
        let counts = [
            row.times,
            row.counts.requests,
            row.counts.sold,
            row.counts.out_of_stock,
            row.counts.conflicts,
            row.counts.not_carried_out,
            row.counts.outcome_unknown,
            row.counts.no_answer.values().sum(),
            row.counts.left,
            row.counts.settled,
            row.counts.wrong.values().sum(),
        ];
        let mut cells = vec![row.fault.clone()];
        cells.extend(counts.map(|count| count.to_string()));
        cells
    };
    with_heading(heading, faults.iter().map(row))
}

fn wait_rows(faults: &[DrillRow]) -> Vec<Vec<String>> {
    let heading = [
        "waits, ms",
        "longest",
        "recovery",
        "of all",
        "away",
        "/health p99",
        "/health longest",
        "/health late",
    ];
    let row = |row: &DrillRow| {
        let waits = [
            Some(statistics::milliseconds(row.counts.longest)),
            row.recovery_ms,
            row.recovery_of_all_ms,
            row.replica_away_ms,
            row.health_p99_ms,
            row.health_longest_ms,
        ];
        let mut cells = vec![row.fault.clone()];
        cells.extend(waits.map(milliseconds));
        cells.push(row.health_late.to_string());
        cells
    };
    with_heading(heading, faults.iter().map(row))
}

fn ledger_rows(faults: &[DrillRow]) -> Vec<Vec<String>> {
    let heading = [
        "ledger",
        "orders",
        "unconserved",
        "oversold",
        "lost",
        "dishonest",
        "not yet",
        "later",
        "open",
        "verdict",
    ];
    let row = |row: &DrillRow| {
        let counts = [
            row.ledger.sold,
            row.ledger.unconserved,
            row.ledger.oversold,
            row.ledger.lost_sales,
            row.ledger.dishonest,
            row.not_there_when_told,
            row.ledger.committed_later,
            row.left_in_transaction,
        ];
        let mut cells = vec![row.fault.clone()];
        cells.extend(counts.map(|count| count.to_string()));
        cells.push(verdict(row));
        cells
    };
    with_heading(heading, faults.iter().map(row))
}

/// This table has only the faults during which buyers left.
fn leaving(faults: &[DrillRow]) -> String {
    let heading = [
        "who left",
        "left",
        "answered first",
        "parts of a life",
        "life, ms",
        "made",
        "taken back",
        "unsettled",
    ];
    let row = |row: &DrillRow| {
        let LeavingFigures { left, answered, parts_of_life, life_ms, made, taken_back } =
            row.leaving.as_ref()?;
        let lives = || life_ms.values().copied();
        let life = format!("{:.0} to {:.0}", lives().fold(f64::MAX, f64::min), lives().fold(0.0, f64::max));
        let mut cells = vec![row.fault.clone(), left.to_string(), answered.to_string()];
        cells.extend([format!("{parts_of_life} of {PARTS}"), life]);
        cells.extend([*made, *taken_back, row.counts.unsettled].map(|count| count.to_string()));
        Some(cells)
    };
    let rows: Vec<Vec<String>> = faults.iter().filter_map(row).collect();
    if rows.is_empty() { String::new() } else { align(&with_heading(heading, rows.into_iter())) }
}

/// This table has only the fault that loses answers, and a row for each strategy.
fn lost_answers(faults: &[DrillRow]) -> String {
    let Some(lost) = faults.iter().find_map(|row| row.lost_answers.as_ref()) else { return String::new() };
    let heading = ["told \"unknown\"", "without a key", "settled by the key", "not settled"];
    let row = |(strategy, outcomes): (&String, &UnknownOutcomes)| {
        let counts = [outcomes.without_key, outcomes.settled, outcomes.unsettled];
        std::iter::once(strategy.clone()).chain(counts.map(|count| count.to_string())).collect()
    };
    let table = align(&with_heading(heading, lost.strategies.iter().map(row)));
    format!("{table}{} to COMMIT lost\n", counted(lost.answers, "answer"))
}

fn distance(faults: &[DrillRow]) -> String {
    let near = faults.iter().filter_map(|row| row.ready_near_ms).reduce(f64::max);
    let far = faults.iter().filter_map(|row| row.ready_far_ms).reduce(f64::min);
    match (near, far) {
        (Some(near), Some(far)) => format!(
            "/ready, the database near: {near:.1} ms at least; far, {} ms in each direction: {far:.1} ms at least\n",
            FAR.as_millis()
        ),
        _ => String::new(),
    }
}

fn verdict(row: &DrillRow) -> String {
    match (row.survived, row.ledger.oversold) {
        (true, 0) => "survived".to_owned(),
        (true, _) => "survived; oversold (allowed)".to_owned(),
        (false, _) => "BROKEN".to_owned(),
    }
}

fn milliseconds(time: Option<f64>) -> String {
    time.map_or("-".to_owned(), |time| format!("{time:.0}"))
}

fn lines_of(report: &DrillReport) -> String {
    let broken =
        report.faults.iter().flat_map(|row| row.broken.iter().map(|what| format!("{}: {what}\n", row.fault)));
    let skipped = report.skipped.iter().map(|(fault, reason)| format!("{fault}: skipped, {reason}\n"));
    broken.chain(skipped).collect()
}

fn soak(soak: &Soak) -> String {
    let heading = ["after the soak", "memory, KiB", "at the end", "open files", "at the end"];
    let row = |before: &Usage| {
        let after = soak.end.processes.iter().find(|after| after.process == before.process);
        let files = |files: Option<usize>| files.map_or("-".to_owned(), |files| files.to_string());
        vec![
            before.process.clone(),
            before.memory_kib.to_string(),
            after.map_or("-".to_owned(), |after| after.memory_kib.to_string()),
            files(before.files),
            files(after.and_then(|after| after.files)),
        ]
    };
    let table = align(&with_heading(heading, soak.start.processes.iter().map(row)));
    let (Resources { sessions: from, .. }, Resources { sessions: to, .. }) = (&soak.start, &soak.end);
    let grown: String = soak.growth.iter().map(|what| format!("GROWN: {what}\n")).collect();
    let Soak { minutes, faults, .. } = soak;
    format!(
        "{table}{} in {minutes} min; database sessions: {from}, at the end {to}\n{grown}",
        counted(*faults, "fault")
    )
}

fn original(report: &DrillReport) -> String {
    let figures = report.original.figures.map(|figure| format!("  {}: {}\n", figure.fault, figure.seen));
    format!(
        "For comparison, figures of another system, not measured here:\n{}:\n{}",
        report.original.source,
        figures.concat()
    )
}

fn closing(report: &DrillReport) -> String {
    let broken: Vec<&str> =
        report.faults.iter().filter(|row| !row.survived).map(|row| row.fault.as_str()).collect();
    let all = report.faults.len();
    match broken.len() {
        0 if report.survived && all == 1 => {
            "The shop survived the fault, and no invariant was broken.\n".to_owned()
        }
        0 if report.survived => format!("The shop survived all {all} faults, and no invariant was broken.\n"),
        0 if all == 0 => "No fault was drilled.\n".to_owned(),
        0 => "The shop survived all faults, but something has grown: see GROWN above. Look at: make logs\n"
            .to_owned(),
        count => {
            format!("{count} of {all} faults were not survived: {}. Look at: make logs\n", broken.join(", "))
        }
    }
}
