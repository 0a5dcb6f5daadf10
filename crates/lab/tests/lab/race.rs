//! `lab race`: small races, their books, and what is left behind.

use flash_sale_testbed::testing::TestDatabase;

use super::check::{count, product_count, what_is_there};
use super::*;

const SMALL: [&str; 9] = ["race", "--json", "--stock", "5", "--buyers", "40", "--rounds", "2", "--seed=7"];
/// A replica has this in its environment only while it races.
const WINDOW: &str = "RACE_WINDOW_MS=33";

#[tokio::test]
async fn without_a_running_lab_race_says_how_to_start_it() {
    let project = Project::new();

    let race = project.run(&["race"]).await;

    assert!(!race.success);
    assert_eq!(race.errors, "error: the shop is not running. Start it: make run\n");
}

#[tokio::test]
async fn the_strategies_are_listed_for_a_person() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let list = project.run(&["race", "--list"]).await.output;

    for line in [
        "unlocked          reads the stock",
        "                  a buyer who is too late gets: 409 at once, with Retry-After",
    ] {
        assert!(list.lines().any(|listed| listed.starts_with(line)), "{list}");
    }
    assert!(list.lines().all(|line| line.chars().count() <= 108), "{list}");
    assert!(list.lines().count() >= 24, "{list}");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn the_sums_of_each_strategy_are_right_and_the_shop_is_as_before() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let race = project
        .run(&with(&[
            "--strategy",
            "exercise,unlocked,nowait,skip_locked,check_constraint,reservation,stock_buckets",
        ]))
        .await;

    let report: Value = serde_json::from_str(&race.output).unwrap_or_else(|_| panic!("{}", race.errors));
    assert_eq!(report["options"]["seed"], 7);
    let strategies = report["strategies"].as_array().unwrap();
    assert_eq!(strategies.len(), 7);
    for figures in strategies {
        let sum = |names: &[&str]| names.iter().map(|name| figures[name].as_u64().unwrap()).sum::<u64>();
        assert_eq!(sum(&["sold", "refused", "gave_up", "errors"]), 80, "{figures:#}");
        // Each replica has half of the purchases. A buyer whose connection was lost may have gone
        // to the other replica.
        for replica in ["replica-1", "replica-2"] {
            assert!(figures["replicas"][replica].as_u64() >= Some(30), "{figures:#}");
        }
        assert_eq!(sum(&["requests"]), 80 + sum(&["retries"]));
        assert_eq!(sum(&["sold"]), 10 + sum(&["oversold"]) - sum(&["lost_sales"]), "{figures:#}");
    }
    for figures in &strategies[2..] {
        assert_eq!((&figures["verdict"], &figures["sold"]), (&"ok".into(), &10.into()), "{figures:#}");
    }
    assert_eq!(strategies[1]["verdict"], "oversold_as_it_must");
    assert!(strategies[2]["conflicts"].as_u64() > Some(0), "nobody met anybody: {report:#}");
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn without_retries_a_conflict_is_the_end() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let race = project.run(&with(&["--strategy", "nowait", "--no-retry", "--window", "50"])).await;

    let report: Value = serde_json::from_str(&race.output).unwrap_or_else(|_| panic!("{}", race.errors));
    let figures = &report["strategies"][0];
    assert_eq!(figures["retries"], 0);
    assert_eq!(figures["gave_up"], figures["conflicts"]);
    assert!(figures["gave_up"].as_u64() > Some(0) && race.success, "{figures:#}");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn people_get_two_tables_and_what_is_needed_to_repeat_the_race() {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    project.variables.push(("WIRETAP", "on".to_owned()));
    project.up().await;

    let arguments = ["race", "--stock=3", "--buyers=9", "--rounds=1", "--seed=7", "--concurrency=2"];
    let race = project.run(&[&arguments[..], &["--window=0", "--strategy=advisory_lock"]].concat()).await;

    let lines: Vec<&str> = race.output.lines().collect();
    let conditions =
        "rounds: 1, copies: 3, buyers: 9, at once: 2, race window: 0 ms, retries: for up to 30 s, seed: 7";
    assert_eq!(lines[0], conditions, "{}", race.errors);
    assert_eq!(lines[3], "strategy       sold  oversold  lost  refused  gave up  errors  verdict");
    assert_eq!(lines[4], "advisory_lock     3         0     0        6        0       0  ok");
    assert!(lines[6].starts_with("strategy       sold/s  winners p50"), "{}", race.output);
    assert_eq!(lines.last(), Some(&"It kept the rules."));
    let wiretap =
        "wiretap: on. The lab reads along between the replicas and PostgreSQL, which costs some speed.";
    assert_eq!(lines[lines.len() - 3], wiretap);
    project.run(&["down"]).await;
}

/// A shop at a URL may be one of another machine.
#[tokio::test]
async fn a_race_says_whether_a_wiretap_stood_between_or_that_it_can_not_know() {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    project.variables.push(("WIRETAP", "off".to_owned()));
    project.up().await;
    let small = with(&["--strategy=atomic_update"]);
    let url = format!("--url={}", project.url(""));

    let ours = project.run(&small).await;
    let elsewhere = project.run(&[&small[..], &[&url]].concat()).await;

    let wiretap = |race: &Outcome| {
        let report: Value = serde_json::from_str(&race.output).unwrap_or_else(|_| panic!("{}", race.errors));
        report["wiretap"].clone()
    };
    assert_eq!((wiretap(&ours), wiretap(&elsewhere)), (false.into(), Value::Null));
    project.run(&["down"]).await;
}

#[tokio::test]
async fn csv_has_a_line_for_each_strategy() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let arguments = ["race", "--csv", "--stock", "2", "--buyers", "4", "--rounds", "1", "--strategy"];
    let race = project.run(&[&arguments[..], &["pessimistic,batched"]].concat()).await;

    let lines: Vec<Vec<&str>> = race.output.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 3, "{}{}", race.output, race.errors);
    assert_eq!(lines[0][..6], ["strategy", "verdict", "rounds", "copies", "buyers", "sold"]);
    assert_eq!(lines[1][..6], ["pessimistic", "ok", "1", "2", "4", "2"]);
    assert_eq!(lines[2][..6], ["batched", "ok", "1", "2", "4", "2"]);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn an_unknown_strategy_is_named_with_those_that_are_known() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let race = project.run(&["race", "--strategy", "hope"]).await;

    assert!(!race.success);
    let expected = "the shop knows no strategy hope. It knows: exercise, unlocked, pessimistic,";
    assert!(race.errors.contains(expected), "{}", race.errors);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn an_interrupted_race_leaves_no_product_and_the_window_as_it_was() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let race = start_long_race(&project, &database).await;
    assert!(all_replicas_race(&project).await);

    kill_process(pid_of(race.id().unwrap()), Signal::INT).unwrap();

    let race = Outcome::of(race.wait_with_output().await.unwrap());
    assert!(!race.success && race.errors.ends_with("error: stopped before the end. Again: make race\n"));
    assert_eq!(product_count(&database).await, 1);
    assert!(no_replica_races(&project).await);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn after_a_killed_race_the_window_is_as_it_was_and_the_next_race_removes_its_products() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let mut race = start_long_race(&project, &database).await;

    race.kill().await.unwrap();

    wait_until("the replicas are as before", async || no_replica_races(&project).await).await;
    assert!(product_count(&database).await > 1);
    wait_until("the next race may begin, and ends", async || {
        project.run(&with(&["--strategy", "atomic_update"])).await.success
    })
    .await;
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    project.run(&["down"]).await;
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn a_restart_during_a_race_keeps_its_window_until_the_end() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let race = start_long_race(&project, &database).await;
    let before = replica_pids(&project.status().await);

    let restart = project.run(&["restart"]).await;

    assert!(restart.success, "{}", restart.errors);
    assert!(replica_pids(&project.status().await).iter().all(|pid| !before.contains(pid)));
    assert!(all_replicas_race(&project).await);
    kill_process(pid_of(race.id().unwrap()), Signal::TERM).unwrap();
    race.wait_with_output().await.unwrap();
    assert!(no_replica_races(&project).await);
    project.run(&["down"]).await;
}

fn with<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&SMALL[..], arguments].concat()
}

/// A race that is in the middle of its first round.
async fn start_long_race(project: &Project, database: &TestDatabase) -> tokio::process::Child {
    let arguments = ["race", "--strategy", "pessimistic", "--stock", "1000", "--window", "33"];
    let race = project.command(&arguments).spawn().unwrap();
    wait_until("something was sold", async || count(database, "SELECT count(*) FROM orders").await > 0).await;
    race
}

async fn all_replicas_race(project: &Project) -> bool {
    let environments = replica_environments(project).await;
    environments.len() == 2 && environments.iter().all(|environment| environment.contains(WINDOW))
}

async fn no_replica_races(project: &Project) -> bool {
    let environments = replica_environments(project).await;
    environments.len() == 2 && !environments.iter().any(|environment| environment.contains(WINDOW))
}

async fn replica_environments(project: &Project) -> Vec<String> {
    let pids = replica_pids(&project.status().await);
    let read = |pid| String::from_utf8(fs::read(format!("/proc/{pid}/environ")).ok()?).ok();
    pids.into_iter().filter_map(read).collect()
}
