//! A drill that is stopped or killed leaves no fault behind for long.

use flash_sale_testbed::testing::TestDatabase;
use tokio::process::Child;

use super::{buy_the_book, drill, no_replica_is_drilled};
use crate::check::{product_count, what_is_there};
use crate::*;

#[tokio::test]
async fn an_interrupted_drill_thaws_the_replica_and_takes_all_back() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let (drill, frozen) = start_freezing(&project).await;

    kill_process(pid_of(drill.id().unwrap()), Signal::INT).unwrap();

    let drill = Outcome::of(drill.wait_with_output().await.unwrap());
    assert!(!drill.success && drill.errors.ends_with("error: stopped before the end. Again: make drill\n"));
    assert!(!is_frozen(frozen));
    assert_eq!(product_count(&database).await, 1);
    assert!(no_replica_is_drilled(&project).await);
    project.run(&["down"]).await;
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn a_killed_drill_leaves_no_replica_frozen_and_the_next_one_removes_its_products() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let (mut killed, frozen) = start_freezing(&project).await;

    killed.kill().await.unwrap();

    // The lab replaces the frozen replica, and would kill it only after twenty seconds.
    wait_until("the replica goes on", async || !is_frozen(frozen)).await;
    wait_until("the replicas are as before", async || no_replica_is_drilled(&project).await).await;
    assert!(product_count(&database).await > 1);
    drill(&project, "connections-terminated").await;
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn what_a_killed_drill_left_read_only_the_next_race_or_check_or_drill_makes_writable() {
    let project = Project::new();
    project.up().await;
    let arguments = ["drill", "--fault=read-only", "--lasts=60", "--seconds=2", "--buyers=8"];
    let mut drill = project.command(&arguments).spawn().unwrap();
    wait_until("nothing is sold", async || buy_the_book(&project).await >= 500).await;

    drill.kill().await.unwrap();
    let race = ["race", "--strategy=atomic_update", "--stock=1", "--buyers=2", "--rounds=1"];
    wait_until("a race may begin, and ends", async || project.run(&race).await.success).await;

    // The status may be 400: the book may have been sold before the switch.
    assert!(buy_the_book(&project).await < 500);
    project.run(&["down"]).await;
}

/// Starts a drill that freezes a replica for a minute. Returns it when it has frozen one, with the replica's process.
async fn start_freezing(project: &Project) -> (Child, u32) {
    let arguments = ["drill", "--fault=freeze-replica", "--lasts=60", "--seconds=2", "--buyers=8"];
    let drill = project.command(&arguments).spawn().unwrap();
    let frozen = async || replica_pids(&project.status().await).into_iter().find(|pid| is_frozen(*pid));
    wait_until("a replica is frozen", async || frozen().await.is_some()).await;
    (drill, frozen().await.unwrap())
}

fn is_frozen(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default().contains(") T ")
}
