//! `lab check` on the tree as it is: as shipped, or with the learner's fix. `variants.rs` tests what it
//! says of other trees.

use flash_sale_testbed::testing::TestDatabase;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::*;

#[tokio::test]
async fn without_a_running_lab_check_says_how_to_start_it() {
    let project = Project::new();

    let check = project.run(&["check"]).await;

    assert_eq!(check.code, 2);
    assert_eq!(check.errors, "error: the shop is not running. Start it: make run\n");
    assert_eq!(check.output, "");
}

#[tokio::test]
async fn without_a_running_lab_graders_get_an_object_with_the_reason() {
    let project = Project::new();

    let check = project.run(&["check", "--json"]).await;

    let report: Value = serde_json::from_str(&check.output).unwrap();
    assert_eq!(check.code, 2);
    assert_eq!(report["verdict"], "not_judged");
    assert_eq!(report["error"], "the shop is not running. Start it: make run");
    assert_eq!(report["closing"], "NOT JUDGED: the shop is not running. Start it: make run");
    assert_eq!(report["checks"], serde_json::json!([]));
}

#[tokio::test]
async fn of_an_argument_that_it_does_not_know_graders_get_an_object_too() {
    let project = Project::new();

    let check = project.run(&["check", "--json", "--round", "3"]).await;

    let report: Value = serde_json::from_str(&check.output).unwrap_or_else(|_| panic!("{}", check.errors));
    assert_eq!((check.code, &report["verdict"]), (2, &Value::from("not_judged")));
    assert_eq!(report["error"], "unexpected argument '--round' found");
    let in_words = project.run(&["check", "--round", "3"]).await;
    assert_eq!((in_words.code, &*in_words.output), (2, ""));
    assert!(in_words.errors.contains("Usage: lab check"), "{}", in_words.errors);
    assert!(project.run(&["check", "--help", "--json"]).await.output.contains("Exit code: "));
}

#[tokio::test]
async fn a_shop_elsewhere_is_judged_from_any_folder_when_its_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let lab = |arguments: &[&str]| {
        let mut lab = std::process::Command::new(env!("CARGO_BIN_EXE_lab"));
        lab.env_clear().current_dir(&folder).args(arguments);
        lab
    };
    let errors = |lab: &mut std::process::Command| String::from_utf8(lab.output().unwrap().stderr).unwrap();
    let elsewhere = ["check", "--url", "http://127.0.0.1:1"];

    let without = errors(&mut lab(&elsewhere));
    let with = errors(lab(&elsewhere).env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing"));

    assert!(without.ends_with("and needs its database too: DATABASE_URL\n"), "{without}");
    assert!(with.starts_with("error: no shop answers at 127.0.0.1:1: "), "{with}");
    assert!(errors(&mut lab(&["check"])).contains("not the project's folder"));
}

#[tokio::test]
async fn the_verdict_fits_what_the_rounds_have_shown_and_nothing_is_left_behind() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let check = project.run(&["check", "--json", "--rounds", "3"]).await;

    let report: Value = serde_json::from_str(&check.output).unwrap_or_else(|_| panic!("{}", check.errors));
    assert_eq!(check.success, report["verdict"] == "fixed", "{report:#}");
    let (passed, failed): (Vec<&Value>, Vec<&Value>) =
        report["checks"].as_array().unwrap().iter().partition(|check| check["passed"] == true);
    assert!(passed.iter().all(|check| check["meaning"].is_null()));
    assert!(failed.iter().all(|check| check["meaning"].as_str().unwrap().ends_with('.')));
    assert_eq!(report["costs"].as_array().unwrap().is_empty(), report["verdict"] != "fixed", "{report:#}");
    let (method, played) = (code_of_get_for_purchase(), &report["exploration"]);
    let (mistake, why) = (&report["mistake"], &report["why"]);
    assert!(report["verdict"] != "fixed" || (mistake.is_null() && why["sentence"].is_string()), "{report:#}");
    if method.contains("self.get_by_id(id)") {
        assert_eq!(report["closing"], "OVERSOLD in 3 of 3 rounds", "{report:#}");
        assert!(played["oversold"].as_u64().unwrap() > 0 && failed[0]["name"] == "every interleaving");
        assert_eq!(mistake["name"], "no_lock", "{report:#}");
        let results: Vec<&str> = mistake["statements"].as_array().unwrap().iter().map(result).collect();
        assert_eq!(results[..2], ["saw quantity 1"; 2], "{report:#}");
        // Both purchases read before one of them writes.
        assert!(played["counterexample"].as_str().unwrap().contains("BB"), "{report:#}");
    } else if method.contains("self.get_by_id_for_update(id)") {
        assert!(report["closing"].as_str().unwrap().starts_with("FIXED: "), "{report:#}");
        assert_eq!(
            (played["oversold"].as_u64(), &passed[0]["name"]),
            (Some(0), &"every interleaving".into())
        );
        assert_eq!(played["sold_once"], played["schedules"], "{report:#}");
        assert!(why["sentence"].as_str().unwrap().contains("and then saw quantity 0"), "{report:#}");
    } else {
        // The learner has written something else, which may be right or wrong.
        assert_eq!(report["verdict"] == "fixed", failed.is_empty(), "{report:#}");
    }
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    project.run(&["down"]).await;
}

fn result(statement: &Value) -> &str {
    statement["result"].as_str().unwrap()
}

#[tokio::test]
async fn without_postgresqls_programs_the_proof_is_left_out_with_its_reason_and_all_else_is_judged() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let check = async |arguments: &[&str]| {
        let mut check = project.command(&[&["check", "--rounds", "1"], arguments].concat());
        Outcome::of(check.env("PG_BIN_DIR", "/nowhere").output().await.unwrap())
    };

    let said = check(&[]).await.output;
    let left_out =
        "-       every interleaving         left out: PG_BIN_DIR=/nowhere: expected a folder with initdb";
    assert!(said.starts_with(left_out), "{said}");

    let report: Value = serde_json::from_str(&check(&["--json"]).await.output).unwrap();
    assert!(report["exploration"].is_null() && report["exploration_left_out"].is_string(), "{report:#}");
    assert!(report["mistake"].is_null() && report["why"].is_null(), "{report:#}");
    let is_said = said.contains("\nMistake: it could not be named, because the statements of two purchases");
    assert!(is_said || said.contains("\nWhy it holds could not be seen"), "{said}");
    assert_eq!(report["checks"][0]["name"], "one click", "{report:#}");
    project.run(&["down"]).await;
}

/// The tree may be as shipped, or fixed. So the test takes the payment away, and a check always finds that.
#[tokio::test]
async fn evidence_comes_first_and_the_place_once_the_hints_have_said_it_or_on_request() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let up = project.command(&["up"]).env("RACE_WINDOW_MS", "0").output().await.unwrap();
    assert!(up.status.success());
    count(&database, "WITH made AS (INSERT INTO orders (product_id, served_by)
                       SELECT id, 'me' FROM products, generate_series(1, 2) RETURNING id) SELECT count(*) FROM made")
        .await;
    let check = async |arguments: &[&str]| {
        let outcome = project.run(&[&["check", "--rounds", "1"], arguments].concat()).await;
        assert_eq!(outcome.code, 1, "{}", outcome.errors);
        outcome.output
    };
    let names_the_place =
        |text: &str| [".rs", "create_order", "get_for_purchase"].iter().any(|word| text.contains(word));

    let first = check(&[]).await;
    assert!(first.contains("A sale takes less than the payment's 100 ms"), "{first}");
    assert!(!names_the_place(&first), "{first}");
    assert!(first.contains("Where in the code to look: make check ARGS=--explain."), "{first}");
    assert!(first.contains("The check has reset the shop, which deleted 2 orders."), "{first}");

    project.run(&["hint"]).await;
    let report: Value = serde_json::from_str(&check(&["--json"]).await).unwrap();
    assert!(!names_the_place(&report.to_string()), "{report:#}");
    assert_eq!(report["figures"]["orders_deleted"], 0, "{report:#}");
    let explained = check(&["--explain"]).await;
    assert!(explained.contains("Look at crates/services/src/payment.rs."), "{explained}");
    assert!(!explained.contains("--explain") && !explained.contains("has reset"), "{explained}");
    project.run(&["hint"]).await;
    assert!(names_the_place(&check(&["--json"]).await));
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn an_interrupted_check_leaves_nothing_and_keeps_others_away_until_then() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let mut first = project.command(&["check", "--rounds", "1"]).spawn().unwrap();
    wait_until("the check has a product", async || product_count(&database).await > 1).await;

    let second = project.run(&["check"]).await;
    assert!(second.errors.contains("another check of this shop is running"), "{}", second.errors);

    kill_process(pid_of(first.id().unwrap()), Signal::INT).unwrap();
    assert!(!first.wait().await.unwrap().success());
    assert_eq!(product_count(&database).await, 1);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn what_a_killed_check_has_left_is_removed_by_the_next_one() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let mut killed = project.command(&["check", "--rounds", "1"]).spawn().unwrap();
    wait_until("the check has a product", async || product_count(&database).await > 1).await;
    killed.kill().await.unwrap();
    assert!(product_count(&database).await > 1);
    wait_until("PostgreSQL has noticed", async || {
        let sessions = "SELECT count(*) FROM pg_stat_activity
                        WHERE application_name = 'lab check' AND datname = current_database()";
        count(&database, sessions).await == 0
    })
    .await;

    project.run(&["check", "--rounds", "1"]).await;

    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn of_a_shop_that_is_slower_than_shipped_the_setting_is_named_and_crowds_are_left_out() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let up = project.command(&["up"]).env("RACE_WINDOW_MS", "400").output().await.unwrap();
    assert!(up.status.success());

    let check = project.run(&["check", "--json", "--rounds", "2"]).await;

    let report: Value = serde_json::from_str(&check.output).unwrap_or_else(|_| panic!("{}", check.errors));
    let of =
        |name: &str| report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap();
    let window = of("race window");
    assert!(
        window["seen"].as_str().unwrap().starts_with("a purchase without other buyers took 4"),
        "{window}"
    );
    assert!(window["meaning"].as_str().unwrap().contains("Unset RACE_WINDOW_MS"), "{window}");
    let crowd = of("crowd of 50")["seen"].as_str().unwrap();
    assert!(crowd.starts_with("left out: a purchase without other buyers takes 4"), "{crowd}");
    assert_eq!((check.code, &report["verdict"] == "fixed"), (1, false));
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    project.run(&["down"]).await;
}

/// The method's code, without its comment.
fn code_of_get_for_purchase() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../repositories/src/product_repository.rs");
    let code = fs::read_to_string(path).unwrap();
    let (_, method) = code.split_once("fn get_for_purchase").unwrap();
    method.split_once("\n    }\n").unwrap().0.to_owned()
}

pub(super) async fn what_is_there(database: &TestDatabase) -> String {
    let stock = count(database, "SELECT sum(quantity) FROM products").await;
    let orders = count(database, "SELECT count(*) FROM orders").await;
    format!("{} product, stock {stock}, {orders} orders", product_count(database).await)
}

pub(super) async fn product_count(database: &TestDatabase) -> i64 {
    count(database, "SELECT count(*) FROM products").await
}

pub(super) async fn count(database: &TestDatabase, sql: &str) -> i64 {
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    database.connection.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}
