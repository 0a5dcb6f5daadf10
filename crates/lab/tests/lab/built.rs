//! Checks that the shop which runs, and the shop which is judged, are the tree as it stands. Cargo is not the real one
//! here. `make.rs` tests how make finds what the real cargo has built.

use flash_sale_testbed::testing::TestDatabase;

use super::*;

impl Project {
    fn make_a_mistake(&self) {
        fs::write(self.path().join("crates/shop.rs"), "mistake").unwrap();
    }

    async fn verdict(&self) -> (i32, Value) {
        let check = self.run(&["check", "--json", "--rounds", "1"]).await;
        let report = serde_json::from_str(&check.output).unwrap_or_else(|_| panic!("{}", check.errors));
        (check.code, report)
    }
}

#[tokio::test]
async fn a_second_up_replaces_the_replicas_when_there_is_another_program_and_only_then() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let first = replica_pids(&project.status().await);

    let again = project.up().await;
    assert!(again.output.starts_with("The shop is open already: "), "{}", again.output);
    assert_eq!(replica_pids(&project.status().await), first);

    project.change_shop();
    let changed = project.up().await;
    let said = "replica-1 replaced\nreplica-2 replaced\nThe shop was open. Its replicas are new now: ";
    assert!(changed.output.starts_with(said), "{}", changed.output);
    let second = replica_pids(&project.status().await);
    assert!(first.iter().all(|pid| !second.contains(pid)));

    // It doesn't stop at the program. A variable that is set now is handed on. One that isn't set any more is
    // no longer handed on.
    for (window, said) in [(Some("7"), "replica-1 replaced"), (None, "replica-1 replaced")] {
        let mut up = project.command(&["up"]);
        up.envs(window.map(|window| ("RACE_WINDOW_MS", window)));
        let output = Outcome::of(up.output().await.unwrap()).output;
        assert!(output.contains(said), "{window:?}: {output}");
        let environment = environment_of(replica_pids(&project.status().await)[0]);
        assert_eq!(environment.contains("RACE_WINDOW_MS=7"), window.is_some(), "{environment}");
    }
    project.run(&["down"]).await;
}

fn environment_of(pid: u32) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/environ")).unwrap()).replace('\0', " ")
}

#[tokio::test]
async fn a_second_up_says_that_another_port_is_set_now() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let other = project.command(&["up"]).env("PORT", "3999").output().await.unwrap();

    let output = Outcome::of(other).output;
    assert!(output.ends_with("PORT is 3999 now. To move the shop there: make stop run\n"), "{output}");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_shop_of_another_build_is_not_judged_until_its_replicas_are_replaced() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    assert_ne!(project.verdict().await.1["verdict"], "outdated");

    project.change_shop();
    let (code, report) = project.verdict().await;
    assert_eq!((code, &report["verdict"]), (2, &Value::from("outdated")), "{report:#}");
    assert!(report["closing"].as_str().unwrap().starts_with("OUTDATED: "), "{report:#}");
    assert!(report["error"].as_str().unwrap().ends_with("make build"), "{report:#}");
    for command in [&["race", "--rounds", "1"][..], &["drill", "--fault", "burst"]] {
        let refused = project.run(command).await;
        assert!(
            !refused.success && refused.errors.contains("was not built from the present files"),
            "{command:?}"
        );
    }

    let restart = project.run(&["restart"]).await;
    assert!(restart.success, "{}", restart.errors);
    let (code, report) = project.verdict().await;
    assert!(code < 2 && report["error"].is_null(), "{report:#}");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn one_replica_of_another_build_is_enough_to_refuse() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let shop = project.path().join("flash-sale-web");
    project.change_shop();
    project.up().await;

    // A build replaces the program's file. Then a replica dies, and the lab starts it from the file that is there now.
    fs::copy(&shop, project.path().join("new")).unwrap();
    fs::rename(project.path().join("new"), &shop).unwrap();
    kill(replica_pids(&project.status().await)[0]);
    wait_until("it runs again", async || {
        let status = project.status().await;
        status["replicas"][0]["restarts"] == 1 && replica_pids(&status).len() == 2
    })
    .await;

    let (code, report) = project.verdict().await;
    assert_eq!((code, &report["verdict"]), (2, &Value::from("outdated")), "{report:#}");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn replicas_that_are_replaced_while_they_are_judged_get_no_verdict() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let check = project.command(&["check", "--json", "--rounds", "1"]).spawn().unwrap();
    wait_until("the check has a product", async || check::product_count(&database).await > 1).await;

    project.change_shop();
    project.up().await;

    let check = Outcome::of(check.wait_with_output().await.unwrap());
    let report: Value = serde_json::from_str(&check.output).unwrap_or_else(|_| panic!("{}", check.errors));
    assert_eq!((check.code, &report["verdict"]), (2, &Value::from("outdated")), "{report:#}");
    assert_eq!(report["error"], "the replicas were replaced during this command. Run the command again");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn what_does_not_compile_is_not_judged_whether_a_shop_runs_or_not() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.make_a_mistake();
    let refused = async |arguments: &[&str]| {
        let outcome = project.run(arguments).await;
        assert!(outcome.errors.contains("error[E0425]: cannot find value"), "{}", outcome.errors);
        assert!(!outcome.success);
        outcome
    };

    let up = refused(&["up"]).await;
    assert!(up.errors.ends_with("Correct the code, and run the command again\n"), "{}", up.errors);
    assert_eq!(project.verdict().await.1["verdict"], "not_built");

    fs::write(project.path().join("crates/shop.rs"), "fine").unwrap();
    project.up().await;
    let before = replica_pids(&project.status().await);
    project.make_a_mistake();
    refused(&["up"]).await;
    refused(&["restart"]).await;
    let (code, report) = project.verdict().await;

    assert_eq!((code, &report["verdict"]), (2, &Value::from("not_built")), "{report:#}");
    assert!(report["closing"].as_str().unwrap().starts_with("NOT BUILT: "), "{report:#}");
    assert_eq!(replica_pids(&project.status().await), before);
    project.run(&["down"]).await;
}
