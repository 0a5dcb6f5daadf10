//! `GET /benchmark`: the last report that `make bench` has kept.

use actix_web::HttpResponse;
use actix_web::web::Data;
use askama::Template;

use super::answer;
use crate::bench_charts::{BenchChart, ChartPlace, draw};
use crate::measured::{MeasuredStrategies, MeasuredStrategy, number, range};
use crate::problem::Problem;
use crate::rooms::BenchReports;
use crate::settings::DashboardSettings;

/// The heads of the figures.
const FIGURES: [&str; 13] = [
    "Buyers",
    "Products",
    "Sold a second",
    "Slowest-fastest",
    "pgbench",
    "Ratio",
    "p50, ms",
    "p99, ms",
    "To try again",
    "Errors",
    "CPU: shop, µs",
    "CPU: PostgreSQL",
    "CPU: buyers",
];

/// `lab/benchmark.html`
#[derive(Template)]
#[template(path = "lab/benchmark.html")]
struct BenchmarkPage<'a> {
    shop_url: &'a str,
    /// The report, or why it can't be shown. `None`: there is none.
    report: Result<Option<ShownReport>, String>,
    figures: [&'static str; 13],
}

/// A report.
struct ShownReport {
    ended_at: String,
    conditions: Vec<(&'static str, String)>,
    is_right: bool,
    rows: Vec<ReportRow>,
    charts: Vec<BenchChart>,
}

/// A strategy's figures with one crowd, in the order of [`FIGURES`].
struct ReportRow {
    strategy: String,
    figures: Vec<String>,
    /// What is wrong with its ledger. Then it has no figures.
    flaw: Option<String>,
}

/// The page.
pub async fn show(
    reports: Data<dyn BenchReports>,
    settings: Data<DashboardSettings>,
) -> Result<HttpResponse, Problem> {
    let report = match reports.last().await {
        Ok(Some(text)) => match MeasuredStrategies::read(&text) {
            Ok(measured) => Ok(Some(ShownReport::of(&measured)?)),
            Err(reason) => Err(format!("it is no report of make bench, or of another version ({reason})")),
        },
        Ok(None) => Ok(None),
        Err(reason) => Err(reason),
    };
    answer(&BenchmarkPage { shop_url: &settings.shop_url, report, figures: FIGURES })
}

impl ShownReport {
    fn of(measured: &MeasuredStrategies) -> Result<Self, Problem> {
        Ok(Self {
            ended_at: measured.ended_at.format("%Y-%m-%d %H:%M").to_string(),
            conditions: conditions(measured),
            is_right: measured.is_right,
            rows: measured.rows.iter().map(ReportRow::of).collect(),
            charts: draw(measured, ChartPlace::Page).map_err(|error| Problem::internal(&error))?,
        })
    }
}

fn conditions(measured: &MeasuredStrategies) -> Vec<(&'static str, String)> {
    let (options, conditions) = (&measured.options, &measured.conditions);
    let setting = |name: &str| conditions.postgresql.get(name).map_or("unknown", String::as_str);
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
    let load = match options.rate {
        None => "each buyer buys again at once".to_owned(),
        Some(rate) => format!("{rate} purchases are due in a second"),
    };
    let memory = measured.replica_peak_memory_mib;
    vec![
        ("Load", format!("{load}. Rounds for each row: {}, of {} s", options.rounds, options.seconds)),
        ("Machine", format!("processors: {} ({})", conditions.processors, or_unknown(&conditions.processor))),
        ("Shop", {
            let memory = memory.map_or("unknown".to_owned(), |mib| format!("{mib:.0} MiB"));
            let (build, commit) = (&conditions.shop_build, or_unknown(&conditions.commit));
            format!("replicas: {}, {build} build of {commit}, peak memory {memory}", conditions.replicas)
        }),
        ("PostgreSQL", {
            let (version, fsync) = (setting("server_version"), setting("fsync"));
            format!("{version}, fsync {fsync}, synchronous_commit {}", setting("synchronous_commit"))
        }),
        ("Disk", format!("writes and flushes 8 KiB in {:.2} ms", conditions.flush_ms)),
        ("Ceiling of a lock on one row", {
            let ceiling = conditions.ceiling;
            let (most, held) = (ceiling.per_second, ceiling.lock_and_commit_ms);
            format!("{most:.0} a second: a lone buyer holds the row for {held:.2} ms")
        }),
        ("pgbench", measured.pgbench.clone()),
    ]
}

impl ReportRow {
    fn of(row: &MeasuredStrategy) -> Self {
        let cpu_of_shop = row.replicas_cpu_us.zip(row.gateway_cpu_us);
        let figures = vec![
            row.buyers.to_string(),
            row.products.to_string(),
            number(row.per_second, 0),
            range(row.per_second_min, row.per_second_max, 0),
            number(row.pgbench_per_second, 0),
            number(row.ratio, 2),
            number(row.p50_ms, 1),
            number(row.p99_ms, 1),
            row.conflicts.saturating_add(row.busy).to_string(),
            row.errors.saturating_add(row.dropped).to_string(),
            number(cpu_of_shop.map(|(replicas, gateway)| replicas + gateway), 0),
            number(row.postgresql_cpu_us, 0),
            number(row.load_cpu_us, 0),
        ];
        let flaw = (row.ledger != "right").then(|| row.ledger.clone());
        Self { strategy: row.strategy.clone(), figures, flaw }
    }
}
