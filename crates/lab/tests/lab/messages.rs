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
async fn psql_reaches_the_database_of_the_url() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);

    let outcome = project.run(&["psql", "-Atc", "SELECT current_database()"]).await;

    assert!(outcome.success, "{}", outcome.errors);
    assert!(database.url.contains(outcome.output.trim()) && !outcome.output.trim().is_empty());
}
