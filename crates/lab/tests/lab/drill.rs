//! `lab drill`: short drills of a few faults, and what the ledger finds. [`interrupted`]: what a drill leaves behind
//! that was stopped. [`lost_answers`]: answers to COMMIT that get lost. No test here asserts that a fault was survived
//! within its time limits, because other tests load the machine.

mod interrupted;
mod lost_answers;

use std::time::Duration;

use flash_sale_testbed::testing::TestDatabase;
use sea_orm::ConnectionTrait;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::check::{count, what_is_there};
use super::*;

pub(super) const SHORT: [&str; 8] =
    ["drill", "--json", "--seconds=2", "--lasts=1", "--buyers=8", "--burst=200", "--seed=7", "--fault"];
const FLAWS: [&str; 7] = [
    "unconserved",
    "oversold",
    "lost_sales",
    "dishonest",
    "not_there_when_told",
    "committed_later",
    "left_in_transaction",
];
/// A replica has this in its environment only while it is drilled.
const WINDOW: &str = "RACE_WINDOW_MS=20";

#[tokio::test]
async fn without_a_running_lab_drill_says_how_to_start_it() {
    let project = Project::new();

    let drill = project.run(&["drill"]).await;

    assert!(!drill.success);
    assert_eq!(drill.errors, "error: the shop is not running. Start it: make run\n");
}

#[tokio::test]
async fn the_faults_are_listed_without_a_lab_and_an_unknown_one_is_refused() {
    let project = Project::new();

    let list = project.run(&["drill", "--list"]).await;
    let unknown = project.run(&["drill", "--fault", "flood"]).await;

    assert_eq!(list.output.lines().count(), 14, "{}", list.errors);
    assert!(
        list.output.contains("row-lock-held               a foreign session holds a product's row; 20 s\n")
    );
    assert!(unknown.errors.starts_with("error: there is no fault flood. There are: kill-replica, "));
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn faults_of_replicas_and_buyers_leave_a_ledger_without_a_flaw() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let report =
        drill(&project, "kill-replica,freeze-replica,connections-terminated,burst,reset-during-sale").await;

    let faults = report["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 5, "{report:#}");
    faults.iter().for_each(assert_no_flaw);
    let crowd = &faults[3];
    // These are the requests of the crowd, the orders of the scarce product, and some of the other product.
    assert!(figure(crowd, "requests") > 200 && figure(crowd, "orders") > 90, "{crowd:#}");
    assert!(faults[0]["replica_away_ms"].is_number() && crowd["replica_away_ms"].is_null());
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    assert_eq!(count(&database, "SELECT count(*) FROM idempotency_keys").await, 0);
    assert!(no_replica_is_drilled(&project).await);
    project.run(&["down"]).await;
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn faults_of_postgres_leave_a_ledger_without_a_flaw_and_a_shop_that_sells() {
    let project = Project::new();
    project.up().await;

    let report =
        drill(&project, "postgres-immediate-restart,postgres-stopped,row-lock-held,pool-exhausted,read-only")
            .await;

    let faults = report["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 5, "{report:#}");
    for fault in faults {
        for name in FLAWS {
            assert_eq!(fault[name], 0, "{fault:#}");
        }
        assert!(figure(fault, "ok_200") > 0, "{fault:#}");
    }
    assert_eq!(buy_the_book(&project).await, 200);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn faults_that_the_lab_can_not_do_to_a_database_of_others_are_skipped() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    count(&database, "WITH sold AS (INSERT INTO orders (product_id, served_by) SELECT id, 'me' FROM products RETURNING id) SELECT count(*) FROM sold").await;
    let outcome = project.run(&[&SHORT[..], &["postgres-immediate-restart,postgres-stopped"]].concat()).await;

    let report: Value =
        serde_json::from_str(&outcome.output).unwrap_or_else(|_| panic!("{}", outcome.errors));
    let said = "The drill resets the shop: its 1 order will be deleted.";
    assert!(outcome.errors.contains(said), "{}", outcome.errors);
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    let reason = "the PostgreSQL of DATABASE_URL is not the shop's private one";
    let expected = serde_json::json!({ "postgres-immediate-restart": reason, "postgres-stopped": reason });
    assert_eq!(report["skipped"], expected);
    // Nothing was drilled, so there was nothing to survive.
    assert_eq!((&report["survived"], &report["faults"]), (&false.into(), &serde_json::json!([])));
    project.run(&["down"]).await;
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn buyers_buy_by_several_strategies_each_on_products_as_it_needs_them() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let strategies = "--strategy=skip_locked,check_constraint,nowait,reservation,stock_buckets";
    let report = drill_with(&project, &["burst,reset-during-sale", strategies]).await;
    let alone = drill_with(&project, &["reset-during-sale", "--strategy=skip_locked,stock_buckets"]).await;

    for fault in report["faults"].as_array().unwrap() {
        assert_no_flaw(fault);
        // It is a number only when each of the strategies has recovered.
        assert!(fault["recovery_of_all_ms"].is_number(), "{fault:#}");
    }
    let expected =
        serde_json::json!(["skip_locked", "check_constraint", "nowait", "reservation", "stock_buckets"]);
    assert_eq!((&report["options"]["strategies"], &report["skipped"]), (&expected, &serde_json::json!({})));
    let reason = "skip_locked, stock_buckets can't sell the shop's book";
    assert_eq!(alone["skipped"], serde_json::json!({ "reset-during-sale": reason }));
    project.run(&["down"]).await;
}

/// The crowd wants twice as many copies as there are. Twenty of the buyers have a database connection at the same time.
#[tokio::test]
#[ignore = "with the others, minutes"]
async fn what_may_oversell_is_counted_and_not_blamed() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let report = drill_with(&project, &["burst", "--window=100", "--strategy=unlocked"]).await;

    let fault = &report["faults"][0];
    assert!(figure(fault, "oversold") > 0, "{fault:#}");
    assert!(!broken(fault).contains("oversold"), "{fault:#}");
    project.run(&["down"]).await;
}

/// The database makes a second order for each purchase. Nobody is told of it.
#[tokio::test]
#[ignore = "with the others, minutes"]
async fn orders_of_nobody_are_found() {
    let database = TestDatabase::create().await;
    let double = "CREATE FUNCTION double() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                      INSERT INTO orders (product_id, served_by) VALUES (new.product_id, 'nobody');
                      RETURN new;
                  END $$;
                  CREATE TRIGGER double AFTER INSERT ON orders FOR EACH ROW
                  WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION double()";
    database.connection.execute_unprepared(double).await.unwrap();
    let project = Project::on(&database);
    project.up().await;

    let outcome = project.run(&[&SHORT[..], &["connections-terminated"]].concat()).await;

    assert!(!outcome.success);
    let report: Value =
        serde_json::from_str(&outcome.output).unwrap_or_else(|_| panic!("{}", outcome.errors));
    let fault = &report["faults"][0];
    // There are two products of each strategy.
    assert_eq!(fault["unconserved"], 8, "{fault:#}");
    assert!(figure(fault, "oversold") >= 40 && figure(fault, "dishonest") >= 80, "{fault:#}");
    assert_eq!(report["survived"], false);
    project.run(&["down"]).await;
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn an_order_after_the_last_answer_is_found() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let mut drill = project.command(&[&SHORT[..], &["connections-terminated"]].concat()).spawn().unwrap();
    wait_for_line(&mut drill, "looking for purchases that are committed late").await;
    let late = "INSERT INTO orders (product_id, served_by)
                SELECT id, 'nobody' FROM products WHERE author = 'the lab' LIMIT 1";
    database.connection.execute_unprepared(late).await.unwrap();

    let outcome = Outcome::of(drill.wait_with_output().await.unwrap());
    let report: Value = serde_json::from_str(&outcome.output).unwrap();
    assert_eq!(report["faults"][0]["committed_later"], 1, "{report:#}");
    assert!(!outcome.success && broken(&report["faults"][0]).contains("after the last answer"));
    project.run(&["down"]).await;
}

pub(super) async fn drill(project: &Project, faults: &str) -> Value {
    drill_with(project, &[faults]).await
}

pub(super) async fn drill_with(project: &Project, arguments: &[&str]) -> Value {
    let outcome = project.run(&[&SHORT[..], arguments].concat()).await;
    serde_json::from_str(&outcome.output).unwrap_or_else(|_| panic!("{}", outcome.errors))
}

#[track_caller]
pub(super) fn assert_no_flaw(fault: &Value) {
    for name in FLAWS {
        assert_eq!(fault[name], 0, "{fault:#}");
    }
    assert_eq!(fault["wrong"], serde_json::json!({}), "{fault:#}");
    assert!(figure(fault, "ok_200") > 0 && figure(fault, "requests") >= figure(fault, "purchases"));
}

pub(super) fn figure(fault: &Value, name: &str) -> u64 {
    fault[name].as_u64().unwrap_or_else(|| panic!("no {name}: {fault:#}"))
}

pub(super) fn broken(fault: &Value) -> String {
    let broken: Vec<&str> = fault["broken"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    broken.join("; ")
}

/// Reads the drill's errors up to this line. The rest is read too, so that the drill never waits for us.
async fn wait_for_line(drill: &mut Child, expected: &str) {
    let mut lines = BufReader::new(drill.stderr.take().unwrap()).lines();
    while lines.next_line().await.unwrap().expect("it says so before its end") != expected {}
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
}

pub(super) async fn no_replica_is_drilled(project: &Project) -> bool {
    let environment = |pid: u32| fs::read_to_string(format!("/proc/{pid}/environ")).unwrap_or_default();
    let pids = replica_pids(&project.status().await);
    pids.len() == 2 && !pids.into_iter().any(|pid| environment(pid).contains(WINDOW))
}

/// Buys the shop's book, and returns the status of the answer.
async fn buy_the_book(project: &Project) -> u16 {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(15)).build().unwrap();
    let book: Value = match client.get(project.url("/api/products")).send().await {
        Ok(answer) => answer.json().await.unwrap(),
        Err(error) => panic!("{error}"),
    };
    let body = serde_json::json!({ "product_id": book["id"], "strategy": "pessimistic" });
    client.post(project.url("/api/orders")).json(&body).send().await.unwrap().status().as_u16()
}
