//! What a benchmark writes beside its table: charts, the part of a document, and the report that the dashboard shows.

use std::io::Read;

use flash_sale_lab::bench::ceiling::Ceiling;
use flash_sale_lab::bench::conditions::Conditions;
use flash_sale_lab::bench::guide_part::{BEGIN, END};
use flash_sale_lab::bench::options::BenchOptions;
use flash_sale_lab::bench::report::{BenchReport, BenchRow, Benched, RIGHT};

use super::*;

#[tokio::test]
async fn a_benchmark_writes_charts_the_part_of_a_document_and_the_report_for_the_dashboard() {
    let project = Project::new();
    let guide = project.path().join("GUIDE.md");
    fs::write(&guide, format!("# Guide\n\n{BEGIN}\nthe last run\n{END}\n\nThe end.\n")).unwrap();
    keep(&project, "an older report");
    let mut older = fs::File::open(project.path().join(BENCH_REPORT)).unwrap();
    let arguments = ["bench", "--dev", "--json", "--no-pgbench", "--rounds", "1", "--seconds", "0.3"];
    let more = ["--strategy", "atomic_update,nowait", "--buyers", "2,12"];
    let written = ["--charts", "some/charts", "--guide", "GUIDE.md"];

    let bench = project.run(&[&arguments[..], &more, &written].concat()).await;

    assert_eq!(bench.code, 0, "{}{}", bench.output, bench.errors);
    let printed: Value = serde_json::from_str(&bench.output).unwrap();
    let kept = project.path().join(BENCH_REPORT);
    let read: Value = serde_json::from_str(&fs::read_to_string(&kept).unwrap()).unwrap();
    assert_eq!(read, printed);
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);

    let mut whole = String::new();
    older.read_to_string(&mut whole).unwrap();
    assert_eq!(whole, "an older report", "who reads a report meanwhile reads all of it");

    let text = fs::read_to_string(&guide).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (part, after) = rest.split_once(END).unwrap();
    assert_eq!((before, after), ("# Guide\n\n", "\n\nThe end.\n"));
    for row in ["| `atomic_update` | ", "| `nowait` | "] {
        assert_eq!(part.matches(row).count(), 1, "{part}");
    }
    assert!(
        part.contains(": 2 buyers, 1 product.\n- Closed loop") && !part.contains("the last run"),
        "{part}"
    );
    let links: Vec<&str> = flash_sale_lab::guide::links(part).collect();
    let names = ["sold-over-buyers", "waits-over-buyers", "sold-2-buyers", "cpu-2-buyers"];
    assert_eq!(links, names.map(|name| format!("some/charts/{name}-1-product.svg")), "{part}");
    for link in links {
        let chart = fs::read_to_string(project.path().join(link)).unwrap();
        assert!(chart.starts_with("<svg ") && chart.contains("atomic_update"), "{link}: {chart}");
    }
    assert!(project.path().join("some/charts/sold-12-buyers-1-product.svg").exists());
}

#[tokio::test]
async fn what_cannot_be_written_is_said_before_anything_is_measured() {
    let project = Project::new();
    for (name, text) in [
        ("without.md", "# Guide\n".to_owned()),
        ("twice.md", format!("\n{BEGIN}\n{BEGIN}\n{END}\n")),
        ("reversed.md", format!("\n{END}\n{BEGIN}\n")),
    ] {
        fs::write(project.path().join(name), text).unwrap();
    }
    for (arguments, reason) in [
        (&["--charts", "Cargo.toml/charts"][..], "can't write to Cargo.toml/charts"),
        (&["--charts", "charts", "--guide", "nowhere.md"], "can't change nowhere.md"),
        (&["--charts", "charts", "--guide", "without.md"], "stands 0 times in without.md"),
        (&["--charts", "charts", "--guide", "twice.md"], "stands 2 times in twice.md"),
        (&["--charts", "charts", "--guide", "reversed.md"], "stands behind"),
        (&["--guide", "without.md"], "required arguments were not provided"),
    ] {
        let bench = project.run(&[&TINY[..], arguments].concat()).await;

        assert_eq!(bench.code, 2, "{arguments:?}: {}", bench.errors);
        assert!(bench.errors.contains(reason), "{arguments:?}: {}", bench.errors);
        assert!(!project.path().join(BENCH).exists(), "{arguments:?}");
    }
}

/// A report as a benchmark makes it, of two crowds, and not measured anywhere.
pub fn example() -> BenchReport {
    let row = |strategy: &str, buyers, per_second: f64| {
        let figure = |factor: f64| Some(per_second * factor);
        let row = BenchRow {
            strategy: strategy.to_owned(),
            buyers,
            products: 1,
            rounds: 1,
            ledger: RIGHT.to_owned(),
            purchases: per_second as u64,
            per_second: figure(1.0),
            per_second_min: figure(0.8),
            per_second_max: figure(1.1),
            pgbench_script: strategy.to_owned(),
            pgbench_per_second: figure(1.5),
            ratio: Some(0.67),
            p99_ms: Some(12.0),
            replicas_cpu_us: Some(700.0),
            gateway_cpu_us: Some(200.0),
            postgresql_cpu_us: Some(400.0),
            load_cpu_us: Some(100.0),
            ..BenchRow::default()
        };
        Benched { row, ..Benched::default() }
    };
    let rows = ["pessimistic", "batched"].into_iter().flat_map(|strategy| [(strategy, 4), (strategy, 16)]);
    BenchReport {
        is_right: true,
        ended_at: chrono::Utc::now(),
        options: BenchOptions {
            strategies: Vec::new(),
            buyers: vec![4, 16],
            products: vec![1],
            rounds: 1,
            seconds: 1.0,
            rate: None,
            pgbench: true,
            release: true,
        },
        conditions: Conditions {
            processors: 2,
            processor: None,
            postgresql: [("server_version".to_owned(), "18.1".to_owned())].into(),
            flush_ms: 0.5,
            commit: None,
            shop_build: "release",
            lab_build: "release",
            replicas: 2,
            ceiling: Ceiling { lock_and_commit_ms: 2.0, per_second: 500.0 },
        },
        pgbench: "yes".to_owned(),
        replica_peak_memory_mib: None,
        rows: rows.map(|(strategy, buyers)| row(strategy, buyers, 100.0 * buyers as f64)).collect(),
    }
}

/// Puts the report where a benchmark keeps it.
pub fn keep(project: &Project, report: &str) {
    fs::create_dir_all(project.path().join(BENCH)).unwrap();
    fs::write(project.path().join(BENCH_REPORT), report).unwrap();
}
