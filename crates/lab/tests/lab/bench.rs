//! `lab bench`: a tiny benchmark on a shop of its own. It counts only with a right ledger, and nothing is left of it.

pub mod written;

use std::time::{Duration, Instant};

use flash_sale_lab::bench::pgbench::Script;
use flash_sale_lab::project::{BENCH, BENCH_LOGS, BENCH_REPORT};
use flash_sale_testbed::postgres::Address;
use sea_orm::ConnectionTrait;
use sea_orm::sqlx::{Connection, Executor, PgConnection};
use serde_json::json;
use tokio::process::Child;

use super::*;

/// Without pgbench, and with the development build, which the test has.
const TINY: [&str; 8] =
    ["bench", "--dev", "--json", "--no-pgbench", "--rounds=1", "--buyers=2", "--strategy", "atomic_update"];

/// Makes each sale leave the stock as it was: a copy is sold that nobody takes off the shelf.
const BREAK_LEDGER: &str = "
    CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
    CREATE TRIGGER forget BEFORE UPDATE ON products FOR EACH ROW EXECUTE FUNCTION forget();";

#[tokio::test]
async fn a_tiny_benchmark_has_right_ledgers_figures_of_every_kind_and_leaves_nothing_running() {
    let project = Project::new();
    let arguments = ["bench", "--dev", "--rounds", "1", "--seconds", "0.5", "--strategy", "atomic_update"];
    let more = ["--buyers", "2", "--products=1,3", "--json", "--csv", "figures.csv"];

    let bench = project.run(&[&arguments[..], &more].concat()).await;

    assert_eq!(bench.code, 0, "{}{}", bench.output, bench.errors);
    let report: Value = serde_json::from_str(&bench.output).unwrap();
    assert_eq!((&report["is_right"], &report["options"]["buyers"]), (&true.into(), &json!([2])));
    let conditions = &report["conditions"];
    assert_eq!(conditions["postgresql"]["fsync"], "on", "{report:#}");
    assert_eq!((&conditions["shop_build"], &conditions["replicas"]), (&"dev".into(), &2.into()));
    for positive in [&conditions["flush_ms"], &conditions["ceiling"]["per_second"]] {
        assert!(positive.as_f64() > Some(0.0), "{report:#}");
    }
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["products"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(3)]);
    for row in rows {
        assert_eq!((&row["ledger"], &row["pgbench_script"]), (&"right".into(), &"atomic_update".into()));
        assert_eq!((&row["errors"], &row["dropped"]), (&0.into(), &0.into()), "{row:#}");
        for name in ["per_second", "p50_ms", "p99_ms", "replicas_cpu_us", "postgresql_cpu_us", "load_cpu_us"]
        {
            assert!(row[name].as_f64() > Some(0.0), "{name}: {row:#}");
        }
        assert_eq!(row["ratio"].as_f64() > Some(0.0), report["pgbench"] == "yes", "{report:#}");
    }
    let csv = fs::read_to_string(project.path().join("figures.csv")).unwrap();
    assert!(csv.starts_with("strategy,buyers,products,rounds,ledger,purchases,per_second,"), "{csv}");
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert_eq!(working_in(&project), 0);

    project.run(&["clean"]).await;
    assert!(!project.path().join(BENCH).exists());
}

#[tokio::test]
async fn a_wrong_ledger_gives_no_figure_and_the_exit_code_1() {
    let project = Project::new();
    let mut bench = project.command(&[&TINY[..], &["--seconds", "8"]].concat()).spawn().unwrap();

    wait_while_it_runs(&mut bench, async || break_ledger(&project).await).await;
    let bench = Outcome::of(bench.wait_with_output().await.unwrap());

    assert_eq!(bench.code, 1, "{}{}", bench.output, bench.errors);
    let report: Value = serde_json::from_str(&bench.output).unwrap();
    let row = &report["rows"][0];
    assert_eq!(row["ledger"], "initial stock - orders is not the stock of 1 product", "{report:#}");
    assert_eq!((&report["is_right"], &row["per_second"]), (&false.into(), &Value::Null), "{report:#}");
}

/// Waits for something that happens while the benchmark runs. Making the data of a durable PostgreSQL may take long.
async fn wait_while_it_runs(bench: &mut Child, mut condition: impl AsyncFnMut() -> bool) {
    while !condition().await && bench.try_wait().unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns false as long as there is no database, or no table.
async fn break_ledger(project: &Project) -> bool {
    let folder = project.path().canonicalize().unwrap().join(BENCH).join("postgres");
    let Ok(password) = fs::read_to_string(folder.join("password")) else { return false };
    let url = Address::Socket(folder).url("postgres", password.trim(), "bench");
    let Ok(mut connection) = PgConnection::connect(&url).await else { return false };
    connection.execute(BREAK_LEDGER).await.is_ok()
}

#[tokio::test]
async fn in_an_open_loop_each_purchase_that_was_due_is_accounted_for() {
    let project = Project::new();

    let bench = project.run(&[&TINY[..], &["--seconds", "1", "--rate", "40"]].concat()).await;

    assert_eq!(bench.code, 0, "{}{}", bench.output, bench.errors);
    let report: Value = serde_json::from_str(&bench.output).unwrap();
    let row = &report["rows"][0];
    let sum = |names: &[&str]| names.iter().map(|name| row[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum(&["purchases", "gave_up", "dropped"]), 40, "{row:#}");
    assert!(sum(&["purchases"]) > 0 && row["ratio"].is_null(), "{row:#}");
}

#[tokio::test]
async fn a_benchmark_that_is_interrupted_leaves_no_process_and_a_second_one_does_not_begin() {
    let project = Project::new();
    let long = [&TINY[..], &["--seconds", "60"]].concat();
    let mut bench = project.command(&long).spawn().unwrap();
    let log = project.path().join(BENCH_LOGS).join("replica-2.log");
    wait_while_it_runs(&mut bench, async || log.exists()).await;
    assert!(working_in(&project) > 2);

    let second = project.run(&long).await;
    assert_eq!(second.code, 2, "{}", second.output);
    assert!(second.output.contains("another benchmark runs in this folder"), "{}", second.output);

    let began = Instant::now();
    kill_process(Pid::from_raw(bench.id().unwrap() as i32).unwrap(), Signal::INT).unwrap();
    let bench = Outcome::of(bench.wait_with_output().await.unwrap());
    assert_eq!(bench.code, 2, "{}", bench.errors);
    assert!(bench.output.contains("stopped before the end. Again: make bench"), "{}", bench.output);
    assert!(began.elapsed().as_secs() < 30, "it went on to the end of its round");
    wait_until("all has ended", async || working_in(&project) == 0).await;
    assert!(!project.path().join(BENCH_REPORT).exists(), "it has no report");
}

#[tokio::test]
async fn what_cannot_be_measured_is_said_in_words_and_as_json() {
    let project = Project::new();
    for (arguments, reason) in [
        (["--strategy", "hope"], "the shop knows no strategy hope. It knows: exercise, unlocked"),
        (["--csv", "nowhere/figures.csv"], "can't write nowhere/figures.csv"),
        (["--buyers", "0"], "expected a whole number from 1 to 4096"),
        (["--seconds", "0"], "expected from 0.1 to 60 seconds"),
        (["--rate", "inf"], "expected from 1 to 1000000 purchases a second"),
    ] {
        let bench = project.run(&["bench", "--dev", "--json", arguments[0], arguments[1]]).await;

        assert_eq!(bench.code, 2, "{arguments:?}: {}", bench.errors);
        assert!(bench.errors.contains(reason), "{arguments:?}: {}", bench.errors);
        let said: Value = serde_json::from_str(&bench.output).unwrap();
        assert!(said["error"].as_str().unwrap().contains(reason), "{said}");
        assert_eq!(working_in(&project), 0, "{arguments:?}");
    }
}

/// How many processes work in the benchmark's folder: the replicas, and PostgreSQL's own processes.
fn working_in(project: &Project) -> usize {
    let folder = project.path().canonicalize().unwrap().join(BENCH);
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let works_there = |path: std::path::PathBuf| {
        fs::read_link(path.join("cwd")).is_ok_and(|place| place.starts_with(&folder))
    };
    processes.filter(|process| works_there(process.path())).count()
}

#[tokio::test]
async fn pgbench_sends_the_statements_that_the_replicas_send() {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    project.variables.push(("WIRETAP", "on".to_owned()));
    project.up().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let products = client.get(project.url("/api/products")).send().await.unwrap();
    let product: Value = products.json().await.unwrap();

    for script in Script::ALL {
        client.post(project.url("/api/reset")).send().await.unwrap();
        if script == Script::StockBuckets {
            let spread = "SELECT spread_stock(id, 16) FROM products";
            database.connection.execute_unprepared(spread).await.unwrap();
        }
        let order = json!({"product_id": product["id"], "strategy": script.name()});
        let answer = client.post(project.url("/api/orders")).json(&order).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let order: Value = answer.json().await.unwrap();

        let timeline = project.run(&["timeline", "--json"]).await;
        let click: Value = serde_json::from_str(&timeline.output).unwrap();
        // Purchases that begin shortly after one another are one click, and this one may come shortly after the last one.
        let is_its_own = |transaction: &&Value| transaction["order_id"] == order["id"];
        let own = click.as_array().unwrap().iter().filter(is_its_own);
        let mut sent = Vec::new();
        own.for_each(|transaction| collect_sql(transaction, &mut sent));

        let statements = script.sql().lines().filter(|line| !line.starts_with("--"));
        let statements: Vec<String> =
            statements.map(|line| without_values(line.trim_end_matches(';'))).collect();
        assert_eq!(sent, statements, "{}: {click:#}", script.name());
    }
    project.run(&["down"]).await;
}

fn collect_sql(value: &Value, sent: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            sent.extend(fields.get("sql").and_then(Value::as_str).map(without_values));
            fields.values().for_each(|field| collect_sql(field, sent));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_sql(item, sent)),
        _ => {}
    }
}

/// The statement on one line, with a question mark for each value.
fn without_values(sql: &str) -> String {
    let mut sql = sql.split_whitespace().collect::<Vec<_>>().join(" ").replace("LIMIT 1", "LIMIT ?");
    for value in ["$1", "$2", "$3", ":product", ":served_by"] {
        sql = sql.replace(value, "?");
    }
    sql
}
