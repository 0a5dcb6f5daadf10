//! What a running lab shows, and what it keeps to itself.

use std::process::Stdio;

use flash_sale_lab::testing::TestDatabase;
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
async fn the_password_is_in_no_process_list_and_no_log() {
    let project = Project::new();
    let up = project.up().await;
    let password = fs::read_to_string(project.path().join(".flash-sale/postgres/password")).unwrap();
    assert!(password.len() >= 32);
    let mut psql = project.command(&["psql", "-Atc", "SELECT pg_sleep(60)"]).spawn().unwrap();
    wait_until("psql runs", async || {
        let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'";
        project.run(&["psql", "-Atc", running]).await.output.trim() == "1"
    })
    .await;

    let processes = Command::new("ps").args(["-eo", "args"]).output().await.unwrap();
    let mut texts = vec![String::from_utf8_lossy(&processes.stdout).into_owned(), up.output, up.errors];
    texts.push(project.run(&["status", "--json"]).await.output);
    for log in fs::read_dir(project.path().join(".flash-sale/logs")).unwrap() {
        texts.push(fs::read_to_string(log.unwrap().path()).unwrap());
    }
    texts.push(fs::read_to_string(project.path().join(".flash-sale/postgres/postgres.log")).unwrap());

    assert!(texts[0].contains("pg_sleep"), "ps shows psql: {}", texts[0]);
    assert!(texts.iter().all(|text| !text.contains(&password)));
    psql.kill().await.unwrap();
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
