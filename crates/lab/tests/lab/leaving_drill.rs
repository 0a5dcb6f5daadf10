//! `lab drill` with buyers who leave, and with a far database: whether these faults happened, what the drill finds,
//! and what is left behind. As in `drill`, no test here asserts that a fault was survived within its time limits.

use flash_sale_testbed::testing::TestDatabase;
use sea_orm::ConnectionTrait;
use sea_orm::sqlx::{Connection, Executor, PgConnection};

use super::check::{product_count, what_is_there};
use super::distance::is_near;
use super::drill::{SHORT, assert_no_flaw, broken, drill, drill_with, figure, no_replica_is_drilled};
use super::*;

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn buyers_who_leave_near_and_far_leave_a_ledger_without_a_flaw_and_a_shop_as_before() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let strategies = "--strategy=pessimistic,single_statement";
    let report = drill_with(&project, &["buyers-leave,far-database", strategies]).await;

    let faults = report["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 2, "{report:#}");
    for fault in faults {
        assert_no_flaw(fault);
        let leaving = &fault["leaving"];
        for name in ["left", "answered", "made", "taken_back"] {
            assert!(figure(leaving, name) > 0, "{name}: {fault:#}");
        }
        assert!(figure(leaving, "parts_of_life") >= 8, "{fault:#}");
        assert_eq!(figure(fault, "unsettled") + figure(fault, "left_in_transaction"), 0, "{fault:#}");
    }
    let ready = |name: &str| faults[1][name].as_f64().unwrap();
    assert!(ready("ready_far_ms") >= ready("ready_near_ms") + 18.0, "{report:#}");
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    assert!(is_near(&project, &database).await && no_replica_is_drilled(&project).await);
    project.run(&["down"]).await;
}

#[tokio::test]
#[ignore = "half a minute"]
async fn a_drill_can_be_far_away_all_the_time_with_buyers_who_leave() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let arguments = ["burst,buyers-leave,far-database", "--strategy=nowait", "--far", "--leaving"];
    let report = drill_with(&project, &arguments).await;

    let skipped = serde_json::json!({
        "buyers-leave": "buyers leave all the time",
        "far-database": "the database is far away all the time",
    });
    assert_eq!(report["skipped"], skipped);
    let fault = &report["faults"][0];
    assert_no_flaw(fault);
    assert!(figure(&fault["leaving"], "left") > 0, "{fault:#}");
    assert!(fault["ready_far_ms"].as_f64() >= Some(20.0), "{fault:#}");
    assert!(is_near(&project, &database).await);
    project.run(&["down"]).await;
}

#[tokio::test]
#[ignore = "half a minute"]
async fn a_killed_drill_leaves_no_database_far_away() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let arguments = ["drill", "--fault=far-database", "--seconds=60", "--buyers=8"];
    let mut drill = project.command(&arguments).spawn().unwrap();
    wait_until("the drill is on", async || product_count(&database).await > 1).await;
    wait_until("the database is far", async || !is_near(&project, &database).await).await;

    drill.kill().await.unwrap();

    let is_as_before = async || is_near(&project, &database).await && no_replica_is_drilled(&project).await;
    wait_until("the replicas are as before", is_as_before).await;
    project.run(&["down"]).await;
}

#[tokio::test]
#[ignore = "half a minute"]
async fn an_interrupted_drill_brings_the_database_back_before_it_ends() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let arguments = ["drill", "--fault=burst", "--seconds=60", "--buyers=8", "--burst=8", "--far"];
    let drill = project.command(&arguments).spawn().unwrap();
    // The buyers come when the database is far.
    wait_until("the buyers come", async || product_count(&database).await > 1).await;
    assert!(!is_near(&project, &database).await);

    kill_process(pid_of(drill.id().unwrap()), Signal::INT).unwrap();

    let drill = Outcome::of(drill.wait_with_output().await.unwrap());
    assert!(drill.errors.ends_with("error: stopped before the end. Again: make drill\n"), "{}", drill.errors);
    assert!(is_near(&project, &database).await);
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    project.run(&["down"]).await;
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn a_session_that_is_left_in_a_transaction_is_found() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let url = format!("{}&application_name=replica-9", database.url);
    let mut session = PgConnection::connect(&url).await.unwrap();
    session.execute("BEGIN").await.unwrap();

    let report = drill(&project, "burst").await;

    let fault = &report["faults"][0];
    assert_eq!(fault["left_in_transaction"], 1, "{fault:#}");
    assert!(broken(fault).contains("1 × database session left in a transaction"), "{fault:#}");
    project.run(&["down"]).await;
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn an_order_that_is_not_there_when_its_buyer_is_told_is_found() {
    let database = TestDatabase::create().await;
    let forget = "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                      DELETE FROM orders WHERE id = new.id;
                      RETURN new;
                  END $$;
                  CREATE TRIGGER forget AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION forget()";
    database.connection.execute_unprepared(forget).await.unwrap();
    let project = Project::on(&database);
    project.up().await;

    let report = drill(&project, "burst").await;

    let fault = &report["faults"][0];
    assert_eq!(figure(fault, "not_there_when_told"), figure(fault, "ok_200"), "{fault:#}");
    assert!(broken(fault).contains("order that was not there when its buyer was told"), "{fault:#}");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_database_that_no_line_can_lead_to_is_not_far_away() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let encrypted = "postgres://shop@db/flash_sale?sslmode=require";
    let drill = async |arguments: &[&str]| {
        let mut command = project.command(&[&SHORT[..], arguments].concat());
        Outcome::of(command.env("DATABASE_URL", encrypted).output().await.unwrap())
    };

    let skipped = drill(&["far-database"]).await;
    let refused = drill(&["burst", "--far"]).await;

    let reason = "a line carries nothing that is encrypted, and the database's URL asks for it (sslmode)";
    let report: Value =
        serde_json::from_str(&skipped.output).unwrap_or_else(|_| panic!("{}", skipped.errors));
    assert_eq!(report["skipped"], serde_json::json!({ "far-database": reason }));
    assert!(refused.errors.ends_with(&format!("error: the database can't be far away: {reason}\n")));
    project.run(&["down"]).await;
}

/// Without a look at these sessions, nobody would notice that one was left in a transaction.
#[tokio::test]
async fn who_may_not_look_at_the_shops_sessions_drills_no_buyers_who_leave() {
    let database = TestDatabase::create().await;
    let role = format!("teacher_{}", uuid::Uuid::new_v4().simple());
    let admit = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'secret'; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"
    );
    database.connection.execute_unprepared(&admit).await.unwrap();
    let project = Project::on(&database);
    project.up().await;

    let (_, address) = database.url.split_once('@').unwrap();
    let mut drill = project.command(&[&SHORT[..], &["buyers-leave,far-database"]].concat());
    drill.env("MIGRATION_DATABASE_URL", format!("postgres://{role}:secret@{address}"));
    let drill = Outcome::of(drill.output().await.unwrap());

    let report: Value = serde_json::from_str(&drill.output).unwrap_or_else(|_| panic!("{}", drill.errors));
    let reason = "the role of MIGRATION_DATABASE_URL may not see what the shop's sessions do. Let it: \
                  GRANT pg_read_all_stats TO it";
    assert_eq!(report["skipped"], serde_json::json!({ "buyers-leave": reason, "far-database": reason }));
    project.run(&["down"]).await;
    database.connection.execute_unprepared(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
}
