//! What a running lab shows, and what it keeps to itself.

use std::process::Stdio;

use flash_sale_testbed::testing::TestDatabase;
use sea_orm::ConnectionTrait;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::*;

#[tokio::test]
async fn up_on_a_running_lab_says_where_it_is() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let again = project.up().await;

    assert_eq!(again.output, format!("The shop is open already: http://localhost:{}\n", project.port));
    project.run(&["down"]).await;
}

#[tokio::test]
async fn status_shows_each_process_with_its_port() {
    let project = Project::new();
    project.up().await;

    let table = project.run(&["status"]).await.output;

    let status = project.status().await;
    let mut lines = table.lines().skip(1);
    for replica in status["replicas"].as_array().unwrap() {
        let line = lines.next().unwrap();
        assert!(line.starts_with(replica["name"].as_str().unwrap()), "{line}");
        assert!(line.contains(&replica["process"]["pid"].to_string()), "{line}");
        assert!(line.contains(&replica["process"]["port"].to_string()), "{line}");
    }
    assert!(lines.next().unwrap().starts_with("PostgreSQL"));
    assert!(table.contains(&format!("The shop: http://localhost:{}", project.port)), "{table}");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn status_says_whether_there_is_a_wiretap_and_where_the_dashboard_is() {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    let port = flash_sale_testbed::port::free_port().unwrap();
    project.variables.extend([("WIRETAP", "on".to_owned()), ("DASHBOARD_PORT", port.to_string())]);
    project.up().await;
    let (on, text_on) = (project.status().await, project.run(&["status"]).await.output);
    project.run(&["down"]).await;
    project.variables.push(("WIRETAP", "off".to_owned()));
    project.up().await;
    let (off, text_off) = (project.status().await, project.run(&["status"]).await.output);

    let dashboard = format!("http://localhost:{port}");
    assert_eq!((&on["wiretap"], &on["dashboard"]), (&true.into(), &dashboard.clone().into()));
    assert_eq!((&off["wiretap"], &off["dashboard"]), (&false.into(), &Value::Null));
    let said =
        "The wiretap: on. The lab reads along between the replicas and PostgreSQL, which costs some speed.\n";
    assert!(text_on.ends_with(&format!("The dashboard: {dashboard}\n{said}")), "{text_on}");
    assert!(text_off.ends_with("The wiretap: off. The replicas reach PostgreSQL directly.\n"), "{text_off}");
    assert!(!text_off.contains("dashboard"), "{text_off}");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn logs_name_the_replica_before_each_line_and_follow_a_new_start() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let so_far = project.run(&["logs", "--no-follow"]).await.output;
    assert!(so_far.lines().any(|line| line.starts_with("replica-1 | ")), "{so_far}");
    assert!(so_far.lines().any(|line| line.starts_with("replica-2 | ")), "{so_far}");
    assert!(so_far.lines().all(|line| line.starts_with("replica-")), "{so_far}");

    let mut following = project.command(&["logs"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next_that_has = async |text: &str| {
        while !lines.next_line().await.unwrap().unwrap().contains(text) {}
    };
    next_that_has("listens").await;
    // The new lab begins with empty logs.
    project.run(&["down"]).await;
    next_that_has("stops").await;
    project.up().await;
    next_that_has("listens").await;
    kill_process(pid_of(following.id().unwrap()), Signal::INT).unwrap();
    assert!(following.wait().await.unwrap().success());
    project.run(&["down"]).await;
}

#[tokio::test]
async fn logs_are_in_the_order_of_time_with_every_error_and_without_what_nobody_looks_for() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let execute = async |sql: &str| database.connection.execute_unprepared(sql).await.unwrap();
    execute("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'oh no'; END $$")
        .await;
    execute("CREATE TRIGGER fail BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fail()").await;
    let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    let get = async |path: &str| http.get(project.url(path)).send().await.unwrap().status();

    fs::write(project.path().join("static/shop.css"), "").unwrap();
    http.post(project.url("/buy")).send().await.unwrap();
    get("/static/shop.css").await;
    for _ in 0..100 {
        get("/api/products").await;
    }

    let all = project.run(&["logs", "--no-follow"]).await;
    let times: Vec<&str> = all.output.lines().map(|line| line.split(['[', ' ']).nth(3).unwrap()).collect();
    assert!(times.is_sorted(), "{}", all.output);
    let replicas = |text: &str| {
        ["replica-1 | ", "replica-2 | "]
            .map(|name| text.lines().filter(|line| line.starts_with(name)).count())
    };
    assert!(replicas(&all.output).iter().all(|count| *count > 40), "{}", all.output);
    assert!(!all.output.contains("/static/") && !all.output.contains("GET /ready 200"), "{}", all.output);
    assert!(!all.output.contains('\u{1b}'), "colours are for terminals");

    // Following a log begins with its last lines. An older error is shown too.
    let mut following = project.command(&["logs"]).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut shown = Vec::new();
    while shown.iter().filter(|line: &&String| line.contains("GET /api/products 200")).count() < 60 {
        shown.push(lines.next_line().await.unwrap().unwrap());
    }
    assert!(
        shown[0].contains("ERROR] the database refused a statement: oh no (SQLSTATE P0001)"),
        "{shown:?}"
    );
    kill_process(pid_of(following.id().unwrap()), Signal::INT).unwrap();
    let outcome = Outcome::of(following.wait_with_output().await.unwrap());
    assert!(
        outcome.errors.contains("older entries left out, but for the last warnings and errors"),
        "{}",
        outcome.errors
    );
    project.run(&["down"]).await;
}

#[tokio::test]
async fn logs_say_that_a_replica_died() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    kill(replica_pids(&project.status().await)[0]);

    wait_until("the log says it", async || {
        let logs = project.run(&["logs", "--no-follow"]).await.output;
        logs.lines().any(|line| line.starts_with("shop      | ") && line.contains("replica-1 died"))
    })
    .await;
    project.run(&["down"]).await;
}

#[tokio::test]
async fn psql_reaches_the_database_of_the_url() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);

    let outcome = project.run(&["psql", "-Atc", "SELECT current_database()"]).await;

    assert!(outcome.success, "{}", outcome.errors);
    assert!(database.url.contains(outcome.output.trim()) && !outcome.output.trim().is_empty());
}
