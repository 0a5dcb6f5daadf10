//! The page Benchmark: the last report as conditions, table and charts, and what is said when it can't be shown.

use flash_sale_dashboard::bench_charts::{ChartPlace, draw};
use flash_sale_dashboard::measured::MeasuredStrategies;
use serde_json::{Value, json};

use crate::fake_rooms::FakeRooms;
use crate::served::Served;

/// The strategies of the reports here, and what each of them sells in a second to few buyers.
const STRATEGIES: [(&str, f64); 4] =
    [("exercise", 310.0), ("pessimistic", 305.5), ("nowait", 122.0), ("batched", 1210.0)];

/// In characters of a usual font.
const LONGEST_NOTE: usize = 125;

#[tokio::test]
async fn the_page_says_what_to_type_when_nothing_was_measured() {
    let (_, dashboard) = dashboard(Ok(None));

    let page = dashboard.text("/benchmark").await;

    assert!(page.contains("Nothing was measured in this folder yet."), "{page}");
    assert!(page.contains("<code>make bench</code></p>") && !page.contains("<svg"), "{page}");
    assert!(dashboard.text("/").await.contains("<a href=\"/benchmark\">Benchmark</a>"));
}

#[tokio::test]
async fn the_last_report_has_its_conditions_a_row_for_each_strategy_and_charts() {
    let (_, dashboard) = dashboard(Ok(Some(report(&[(16, 1)]).to_string())));

    let page = dashboard.text("/benchmark").await;

    for expected in [
        "<time>2026-11-27 12:34 UTC</time>",
        "processors: 2 (a &#60;fast&#62; one)",
        "18.1, fsync on, synchronous_commit on",
        "8 KiB in 0.40 ms",
        "520 a second: a lone buyer holds the row for 1.92 ms",
        "Every ledger was right.",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
    for (strategy, _) in STRATEGIES {
        assert_eq!(page.matches(&format!("<th scope=\"row\">{strategy}</th>")).count(), 1, "{strategy}");
    }
    let batched = page.split("<tr>").find(|row| row.contains(">batched</th>")).unwrap();
    for figure in ["1210", "605", "2.00", "9.1", "1300"] {
        assert!(batched.contains(&format!("<td class=\"number\">{figure}</td>")), "{figure}\n{batched}");
    }
    assert_eq!(page.matches("<svg").count(), 2, "{page}");
    assert!(!page.contains(" style=") && !page.contains("<style"), "the policy of the pages allows none");
    assert!(dashboard.text("/picture.css").await.contains(".bench-chart .ceiling"));
}

#[tokio::test]
async fn a_wrong_ledger_is_shown_and_not_drawn() {
    let mut report = report(&[(16, 1)]);
    report["is_right"] = false.into();
    let row = &mut report["rows"][2];
    for name in ["per_second", "per_second_min", "per_second_max", "p99_ms", "replicas_cpu_us", "ratio"] {
        row[name] = Value::Null;
    }
    row["ledger"] = "1 order <b>beyond</b> the stock".into();
    let (_, dashboard) = dashboard(Ok(Some(report.to_string())));

    let page = dashboard.text("/benchmark").await;

    assert!(page.contains("A ledger was wrong."), "{page}");
    assert!(page.contains("No figure for nowait:</b> 1 order &#60;b&#62;beyond"), "{page}");
    assert!(page.contains("no figure: the ledger is wrong</text>"), "{page}");
}

#[tokio::test]
async fn a_report_that_cannot_be_shown_is_said_and_the_page_is_there() {
    let whole = report(&[(16, 1)]);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut report = whole.clone();
        change(&mut report);
        report.to_string()
    };
    let (rooms, dashboard) = dashboard(Ok(None));
    for (last, reason) in [
        (
            Err("can't read .flash-sale/bench/report.json".to_owned()),
            "<b>The last report can't be shown:</b> can&#39;t read .flash-sale/bench/report.json. ",
        ),
        (Ok(String::new()), "EOF while parsing"),
        (Ok(whole.to_string()[..300].to_owned()), "EOF while parsing"),
        (Ok(format!("{whole} and more")), "trailing characters"),
        (Ok(json!({"error": "nothing was measured"}).to_string()), "missing field"),
        (Ok(with(&|report| report["rows"] = json!([]))), "it has 0 rows"),
        (Ok(with(&|report| report["rows"][0]["per_second"] = 1e30.into())), "it has the figure"),
        (Ok(with(&|report| report["rows"][0]["p99_ms"] = (-1.0).into())), "it has the figure -1"),
        (Ok(with(&|report| report["rows"][0]["buyers"] = "<b>".into())), "&#60;b&#62;"),
        (Ok(with(&|report| report["rows"][0]["strategy"] = "x".repeat(201).into())), "201 characters"),
    ] {
        *rooms.bench_reports.0.lock().unwrap() = last.map(Some);

        let page = dashboard.text("/benchmark").await;

        assert!(page.contains("<b>The last report can't be shown:</b>"), "{reason}\n{page}");
        assert!(page.contains(reason), "{reason}\n{page}");
        assert!(page.contains("Measure again: <code>make bench</code>"), "{page}");
    }
}

#[test]
fn each_crowd_has_two_charts_and_several_numbers_of_buyers_have_two_more() {
    let measured = read(&report(&[(1, 1), (16, 1), (16, 64)]));

    let charts = draw(&measured, ChartPlace::File).unwrap();

    let names: Vec<&str> = charts.iter().map(|chart| chart.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "sold-over-buyers-1-product",
            "waits-over-buyers-1-product",
            "sold-1-buyer-1-product",
            "cpu-1-buyer-1-product",
            "sold-16-buyers-1-product",
            "cpu-16-buyers-1-product",
            "sold-16-buyers-64-products",
            "cpu-16-buyers-64-products",
        ]
    );
    for chart in &charts {
        assert!(chart.svg.contains("<style>") && !chart.svg.contains("<script"), "{}", chart.name);
        for (strategy, _) in STRATEGIES {
            assert!(chart.svg.contains(&format!(">{strategy}</text>")), "{}: {strategy}", chart.name);
        }
        for note in chart.svg.split("<text class=\"note\"").skip(1) {
            let words = note.split(['>', '<']).nth(1).unwrap();
            assert!(words.len() <= LONGEST_NOTE, "{}: wider than the chart: {words}", chart.name);
        }
        assert!(!chart.svg.contains("NaN") && !chart.svg.contains("inf"), "{}", chart.svg);
    }
}

/// The longer bar belongs to the strategy that sold more, in the same scale as pgbench's and the ceiling.
#[test]
fn the_bars_are_as_long_as_the_figures() {
    let charts = draw(&read(&report(&[(16, 1)])), ChartPlace::File).unwrap();
    let sold = &charts[0].svg;

    let (batched, nowait) = (bar(sold, "batched: 1210"), bar(sold, "nowait: 122"));
    let pgbench = bar(sold, "pgbench as batched: 605");
    assert!((nowait.1 / batched.1 - 122.0 / 1210.0).abs() < 0.01, "{batched:?} {nowait:?}");
    assert!((pgbench.1 / batched.1 - 0.5).abs() < 0.01, "{batched:?} {pgbench:?}");
    let ceiling = sold.split("<line class=\"ceiling\" x1=\"").nth(1).unwrap();
    let ceiling: f64 = ceiling.split('"').next().unwrap().parse().unwrap();
    assert!(((ceiling - batched.0) / batched.1 - 520.0 / 1210.0).abs() < 0.01, "{ceiling} {batched:?}");
    assert!(sold.find(">batched</text>") < sold.find(">nowait</text>"), "the fastest comes first");

    let cpu = &charts[1].svg;
    let parts = ["replicas: 900", "gateway: 400", "PostgreSQL: 500", "the buyers: 200"]
        .map(|part| bar(cpu, &format!("batched, {part} µs")));
    for pair in parts.windows(2) {
        assert!(
            (pair[0].0 + pair[0].1 - pair[1].0).abs() < 0.2,
            "one begins where the other ends: {parts:?}"
        );
    }
    assert!((parts[0].1 / parts[3].1 - 4.5).abs() < 0.05, "{parts:?}");
}

#[test]
fn the_ceiling_of_one_row_is_drawn_where_one_row_is_sold() {
    let charts = draw(&read(&report(&[(1, 1), (16, 1), (1, 64), (16, 64)])), ChartPlace::File).unwrap();
    let of = |name: &str| &charts.iter().find(|chart| chart.name == name).unwrap().svg;

    for (one, many) in [
        ("sold-16-buyers-1-product", "sold-16-buyers-64-products"),
        ("sold-over-buyers-1-product", "sold-over-buyers-64-products"),
    ] {
        assert!(
            of(one).contains("<line class=\"ceiling\"") && of(one).contains("Dashed: the ceiling"),
            "{one}"
        );
        assert!(!of(many).contains("<line class=\"ceiling\""), "{many}");
    }
    assert!(of("sold-16-buyers-64-products").contains("A lock on one row allows 520 a second"));
}

/// From where, and how long, the bar is that says this.
fn bar(svg: &str, says: &str) -> (f64, f64) {
    let end = svg.find(&format!("<title>{says}</title>")).unwrap_or_else(|| panic!("{says}\n{svg}"));
    let start = svg[..end].rfind("<rect").unwrap();
    let attribute = |name: &str| -> f64 {
        let rest = svg[start..end].split(&format!(" {name}=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    };
    (attribute("x"), attribute("width"))
}

fn dashboard(last: Result<Option<String>, String>) -> (FakeRooms, Served) {
    let rooms = FakeRooms::default();
    *rooms.bench_reports.0.lock().unwrap() = last;
    let dashboard = Served::with(Vec::new(), &rooms);
    (rooms, dashboard)
}

fn read(report: &Value) -> MeasuredStrategies {
    MeasuredStrategies::read(&report.to_string()).unwrap()
}

/// A report of these crowds: of so many buyers and so many products.
fn report(crowds: &[(usize, usize)]) -> Value {
    let rows: Vec<Value> = crowds
        .iter()
        .flat_map(|crowd| STRATEGIES.iter().map(move |strategy| row(*strategy, *crowd)))
        .collect();
    json!({
        "is_right": true,
        "ended_at": "2026-11-27T12:34:56Z",
        "options": {"rounds": 5, "seconds": 1.0, "rate": null},
        "conditions": {
            "processors": 2, "processor": "a <fast> one", "flush_ms": 0.4, "commit": "1234567+",
            "postgresql": {"server_version": "18.1", "fsync": "on", "synchronous_commit": "on"},
            "shop_build": "release", "replicas": 2,
            "ceiling": {"lock_and_commit_ms": 1.923, "per_second": 520.0},
        },
        "pgbench": "yes",
        "replica_peak_memory_mib": 20.4,
        "rows": rows,
    })
}

fn row((strategy, sold): (&str, f64), (buyers, products): (usize, usize)) -> Value {
    json!({
        "strategy": strategy, "buyers": buyers, "products": products, "ledger": "right",
        "per_second": sold, "per_second_min": sold * 0.9, "per_second_max": sold * 1.1,
        "pgbench_per_second": 605.0, "ratio": sold / 605.0,
        "p50_ms": 4.2, "p99_ms": 9.1, "max_ms": 80.0,
        "conflicts": 0, "busy": 3, "errors": 0, "dropped": 0,
        "replicas_cpu_us": 900.0, "gateway_cpu_us": 400.0, "postgresql_cpu_us": 500.0, "load_cpu_us": 200.0,
    })
}
