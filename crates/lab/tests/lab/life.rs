//! The life of a shop, from `lab up` to `lab down`.

use std::process::Stdio;

use rustix::process::{Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::*;

#[tokio::test]
async fn up_opens_the_shop_and_down_leaves_no_process_and_no_port() {
    let project = Project::new();

    let up = project.up().await;
    assert!(
        up.output.contains(&format!("The shop is open: http://localhost:{}", project.port)),
        "{}",
        up.output
    );
    assert!(up.output.contains("replica-1 ready\nreplica-2 ready\n"), "{}", up.output);
    assert!(project.answers().await);
    let status = project.status().await;
    assert_eq!(all_pids(&status).len(), 4);

    let down = project.run(&["down"]).await;
    assert!(down.success && down.output.ends_with("The shop is closed.\n"), "{}", down.output);
    assert_all_gone(&status).await;
    assert!(project.port_is_free().await);
}

#[tokio::test]
async fn rows_outlive_the_lab_until_it_is_cleaned() {
    let project = Project::new();
    project.up().await;
    let sold = project.run(&["psql", "--", "-qc", "UPDATE products SET quantity = 42"]).await;
    assert!(sold.success, "{}", sold.errors);
    project.run(&["down"]).await;

    project.up().await;
    assert_eq!(quantity(&project).await, "42");

    let clean = project.run(&["clean"]).await;
    assert!(clean.success, "{}", clean.errors);
    assert!(!project.path().join(".flash-sale/postgres").exists());
    project.up().await;
    assert_eq!(quantity(&project).await, "1");
    project.run(&["down"]).await;
}

async fn quantity(project: &Project) -> String {
    let outcome = project.run(&["psql", "-Atc", "SELECT quantity FROM products"]).await;
    outcome.output.trim().to_owned()
}

#[tokio::test]
async fn two_ups_at_once_start_one_lab() {
    let project = Project::new();

    let (one, other) = tokio::join!(project.up(), project.up());

    let url = format!("http://localhost:{}", project.port);
    assert!(one.output.contains(&url) && other.output.contains(&url));
    let already = [one, other].iter().filter(|up| up.output.contains("is open already")).count();
    assert_eq!(already, 1);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_killed_lab_leaves_nothing_and_the_next_one_is_clean() {
    let project = Project::new();
    project.up().await;
    let status = project.status().await;
    let pids = all_pids(&status);

    kill(status["pid"].as_u64().unwrap() as u32);

    wait_until("all processes are gone", async || pids.iter().all(|pid| is_gone(*pid))).await;
    assert!(project.port_is_free().await);
    project.up().await;
    assert!(project.answers().await);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn down_after_a_kill_returns_when_all_is_gone() {
    let project = Project::new();
    project.up().await;
    let status = project.status().await;

    kill(status["pid"].as_u64().unwrap() as u32);
    let down = project.run(&["down"]).await;

    assert!(down.success, "{}", down.errors);
    assert_all_gone(&status).await;
}

#[tokio::test]
async fn an_interrupted_up_leaves_nothing() {
    let project = Project::new();
    let mut up = project.command(&["up"]).spawn().unwrap();
    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "PostgreSQL: starting…");

    up.start_kill().unwrap();
    up.wait().await.unwrap();

    wait_until("the lab has ended", async || {
        let lock = fs::File::open(project.path().join(".flash-sale/lab.lock")).unwrap();
        lock.try_lock().is_ok()
    })
    .await;
    let down = project.run(&["down"]).await;
    assert!(down.success, "{}", down.errors);
    assert!(project.port_is_free().await);
}

#[tokio::test]
async fn in_the_foreground_an_interrupt_stops_everything() {
    let project = Project::new();
    let mut up = project.command(&["up", "--foreground"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().unwrap().starts_with("The shop is open") {}
    let status = project.status().await;

    kill_process(pid_of(up.id().unwrap()), Signal::INT).unwrap();

    assert!(up.wait().await.unwrap().success());
    assert_all_gone(&status).await;
}

#[tokio::test]
async fn with_a_folder_that_only_root_can_enter_the_data_are_elsewhere() {
    let project = Project::new();
    fs::set_permissions(project.path(), fs::Permissions::from_mode(0o700)).unwrap();

    project.up().await;
    let status = project.status().await;
    let log = status["database"]["private"]["log"].as_str().unwrap().to_owned();

    // For any user but root, PostgreSQL runs as ourselves, and can enter our folders.
    let expected = if rustix::process::geteuid().is_root() { "/var/lib/flash-sale/" } else { "/tmp/" };
    assert!(log.starts_with(expected), "{log}");
    project.run(&["clean"]).await;
    assert!(!Path::new(&log).exists());
}
