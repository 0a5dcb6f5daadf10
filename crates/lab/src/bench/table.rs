//! The report of a benchmark for a terminal.

use flash_sale_dashboard::measured::{number, range};

use super::options::BenchOptions;
use super::report::{BenchReport, BenchRow, Benched};
use crate::table::{align, with_heading};
use crate::wording::counted;

/// What the figures need to be understood. The meaning of each is in `--help`.
const LEGEND: &str = "sold/s: median of the rounds (slowest-fastest). ratio: to pgbench in the same round. ms: how long \
                      a buyer waits. CPU: microseconds for each purchase.\nThe load and the gateway are threads of one \
                      process. All meanings: make bench ARGS=--help";

/// Conditions, figures, and what went wrong.
pub fn text(report: &BenchReport) -> String {
    let speed = align(&speed_rows(report));
    let cpu = align(&cpu_rows(&report.rows));
    let troubles: String = report.rows.iter().map(trouble_lines).collect();
    format!("{}\n\n{speed}\n{cpu}\n{troubles}{LEGEND}\n\n{}\n", conditions(report), closing(report))
}

/// What was measured, on what, in a few lines.
pub fn conditions(report: &BenchReport) -> String {
    let (conditions, options) = (&report.conditions, &report.options);
    let setting = |name: &str| conditions.postgresql.get(name).map_or("unknown", String::as_str);
    let processor = conditions.processor.as_deref().unwrap_or("unknown");
    let memory = report.replica_peak_memory_mib.map_or("unknown".to_owned(), |mib| format!("{mib:.0} MiB"));
    let ceiling = conditions.ceiling;
    [
        loop_line(options),
        format!(
            "{} ({processor}), commit {}, shop: {} build, gateway and load: {} build",
            counted(conditions.processors, "processor"),
            conditions.commit.as_deref().unwrap_or("unknown"),
            conditions.shop_build,
            conditions.lab_build
        ),
        format!(
            "PostgreSQL {}, fsync {}, synchronous_commit {}, full_page_writes {}; the disk flushes 8 KiB in {:.2} ms",
            setting("server_version"),
            setting("fsync"),
            setting("synchronous_commit"),
            setting("full_page_writes"),
            conditions.flush_ms
        ),
        format!(
            "{}, race window 0, no wiretap; peak memory of a replica: {memory}; pgbench: {}",
            counted(conditions.replicas, "replica"),
            report.pgbench
        ),
        format!(
            "ceiling of a lock on one row: {:.0}/s. A lone buyer holds the row for {:.2} ms, from the lock to the end \
             of COMMIT, and meanwhile nobody else can buy.",
            ceiling.per_second, ceiling.lock_and_commit_ms
        ),
    ]
    .join("\n")
}

fn loop_line(options: &BenchOptions) -> String {
    let BenchOptions { rounds, seconds, rate, .. } = options;
    let rounds = counted(*rounds, "round");
    match rate {
        None => {
            format!("closed loop: each buyer buys again at once. {rounds} of {seconds} s for each strategy")
        }
        Some(rate) => {
            format!(
                "open loop: {rate} purchases are due in a second. {rounds} of {seconds} s for each strategy"
            )
        }
    }
}

fn speed_rows(report: &BenchReport) -> Vec<Vec<String>> {
    let heading = [
        "strategy", "buyers", "products", "sold/s", "range", "pgbench", "ratio", "range", "p50 ms", "p99 ms",
        "max ms", "409", "503", "errors", "dropped",
    ];
    let row = |Benched { row, .. }: &Benched| {
        let mut cells = vec![row.strategy.clone(), row.buyers.to_string(), row.products.to_string()];
        cells.push(number(row.per_second, 0));
        cells.push(range(row.per_second_min, row.per_second_max, 0));
        cells.push(number(row.pgbench_per_second, 0));
        cells.push(number(row.ratio, 2));
        cells.push(range(row.ratio_min, row.ratio_max, 2));
        cells.extend([row.p50_ms, row.p99_ms, row.max_ms].map(|time| number(time, 1)));
        cells.extend([row.conflicts, row.busy, row.errors, row.dropped].map(|count| count.to_string()));
        cells
    };
    with_heading(heading, report.rows.iter().map(row))
}

fn cpu_rows(rows: &[Benched]) -> Vec<Vec<String>> {
    let heading = [
        "CPU",
        "buyers",
        "products",
        "replicas",
        "gateway",
        "PostgreSQL",
        "load",
        "load's share",
        "processors used",
    ];
    let row = |Benched { row, .. }: &Benched| {
        let mut cells = vec![row.strategy.clone(), row.buyers.to_string(), row.products.to_string()];
        let times = [row.replicas_cpu_us, row.gateway_cpu_us, row.postgresql_cpu_us, row.load_cpu_us];
        cells.extend(times.map(|time| number(time, 0)));
        cells.push(row.load_share.map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0)));
        cells.push(number(row.processors_used, 1));
        cells
    };
    with_heading(heading, rows.iter().map(row))
}

fn trouble_lines(benched: &Benched) -> String {
    let BenchRow { strategy, buyers, products, ledger, .. } = &benched.row;
    let place = format!("{strategy}, {}, {}", counted(*buyers, "buyer"), counted(*products, "product"));
    let wrong =
        if benched.row.is_right() { String::new() } else { format!("{place}: NO FIGURE: {ledger}\n") };
    let line = |(what, times): (&String, &u64)| format!("{place}: {times} × {what}\n");
    format!("{wrong}{}", benched.failures.iter().map(line).collect::<String>())
}

fn closing(report: &BenchReport) -> String {
    let wrong = report.rows.iter().filter(|benched| !benched.row.is_right()).count();
    match wrong {
        0 => "Every ledger was right.".to_owned(),
        1 => "1 ledger was wrong, so there is no figure for it.".to_owned(),
        _ => format!("{wrong} ledgers were wrong, so there are no figures for them."),
    }
}
