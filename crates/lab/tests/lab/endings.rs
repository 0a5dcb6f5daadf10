//! Commands that put things into the shop for a while. The tests end them in every way that a program can notice:
//! nothing of theirs is left.

use std::fs::File;
use std::time::Duration;

use flash_sale_lab::shop::database::ShopDatabase;
use flash_sale_lab::signals::is_ignored;
use flash_sale_testbed::testing::TestDatabase;
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};

use super::check::product_count;
use super::*;

/// Other tests end a race and a drill with INT and TERM.
const RARE_SIGNALS: [Signal; 2] = [Signal::HUP, Signal::QUIT];

#[tokio::test]
async fn a_check_takes_its_products_away_whatever_ends_it() {
    let_hangups_be_heard();
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    for signal in [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM] {
        let check = project.command(&["check", "--rounds", "1"]).spawn().unwrap();
        has_a_product(&database).await;

        let check = end(check, signal).await;

        assert_eq!(check.code, 2, "{signal:?}: {}", check.errors);
        let said = "error: stopped before the verdict. Again: make check\n";
        assert!(check.errors.ends_with(said), "{signal:?}: {}", check.errors);
        assert_eq!(product_count(&database).await, 1, "{signal:?}");
    }
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_race_takes_its_products_away_and_its_window_back_whatever_ends_it() {
    let_hangups_be_heard();
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    for signal in RARE_SIGNALS {
        let arguments = ["race", "--strategy", "check_constraint", "--stock", "1000", "--window", "33"];
        let race = project.command(&arguments).spawn().unwrap();
        has_a_product(&database).await;
        assert!(replicas_have(&project, "RACE_WINDOW_MS=33").await);

        let race = end(race, signal).await;

        assert_eq!(race.code, 1, "{signal:?}: {}", race.errors);
        assert_eq!(product_count(&database).await, 1, "{signal:?}");
        assert!(!replicas_have(&project, "RACE_WINDOW_MS=33").await, "{signal:?}");
    }
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_drill_takes_all_back_whatever_ends_it() {
    let_hangups_be_heard();
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    for signal in RARE_SIGNALS {
        let drill = project.command(&["drill", "--fault", "freeze-replica", "--lasts", "60"]);
        let drill = { drill }.spawn().unwrap();
        has_a_product(&database).await;
        assert!(replicas_have(&project, "RACE_WINDOW_MS=20").await);

        let drill = end(drill, signal).await;

        assert_eq!(drill.code, 1, "{signal:?}: {}", drill.errors);
        assert_eq!(product_count(&database).await, 1, "{signal:?}");
        assert!(!replicas_have(&project, "RACE_WINDOW_MS=20").await, "{signal:?}");
    }
    project.run(&["down"]).await;
}

/// A command may be ended while PostgreSQL still makes a product for it.
#[tokio::test]
async fn a_product_that_is_still_being_made_is_removed_too() {
    let database = TestDatabase::create().await;
    // The INSERT waits in a trigger for a lock that this test holds.
    database.connection.execute_unprepared(SLOW_PRODUCTS).await.unwrap();
    let held = database.connection.begin().await.unwrap();
    held.execute_unprepared("SELECT pg_advisory_xact_lock(4711)").await.unwrap();
    let shop = ShopDatabase::connect(&database.url).await.unwrap();
    let making = tokio::spawn({
        let shop = shop.clone();
        async move { shop.make_product("slow", 1).await }
    });
    wait_until("the INSERT waits", async || shop.waiting_sessions().await.unwrap() == 1).await;
    making.abort();
    let _ = making.await;

    let mut removing = tokio::spawn(async move { shop.remove_products().await });
    let early = tokio::time::timeout(Duration::from_millis(300), &mut removing).await;
    held.rollback().await.unwrap();
    if early.is_err() {
        removing.await.unwrap().unwrap();
    }

    let waits =
        "SELECT count(*) > 0 AS found FROM pg_stat_activity WHERE query LIKE 'INSERT%' AND state = 'active'
                 AND datname = current_database() AND pid <> pg_backend_pid()";
    wait_until("the INSERT has ended", async || {
        let row = database.connection.query_one_raw(Statement::from_string(DbBackend::Postgres, waits)).await;
        !row.unwrap().unwrap().try_get::<bool>("", "found").unwrap()
    })
    .await;
    assert_eq!(product_count(&database).await, 1);
}

const SLOW_PRODUCTS: &str = "
    CREATE FUNCTION wait_a_little() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END';
    CREATE TRIGGER slow BEFORE INSERT ON products FOR EACH ROW EXECUTE FUNCTION wait_a_little();";

/// Lets the signal HUP end the processes that a test starts. The person who runs the tests may have asked that HUP be
/// ignored, so that they don't end with the terminal. The processes would inherit that. Once this process hears the
/// signal, there is nothing to inherit.
fn let_hangups_be_heard() {
    if is_ignored(SignalKind::hangup()) {
        let _heard = signal(SignalKind::hangup()).unwrap();
    }
}

/// The command then can't print to its terminal any more. That must not end it before it has put things in order.
#[tokio::test]
async fn a_terminal_that_is_closed_ends_a_check_in_order() {
    let_hangups_be_heard();
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = openpt(flags).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let path = ptsname(&terminal, Vec::new()).unwrap();
    let end = || {
        File::from(rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY, rustix::fs::Mode::empty()).unwrap())
    };
    // The command gets a session of its own, and this terminal belongs to the session.
    let mut command = Command::new("setsid");
    command.args(["--ctty", LAB, "check", "--rounds", "500"]).current_dir(project.path());
    command
        .env("PATH", project.search_path())
        .envs(project.variables.clone())
        .stdin(end())
        .stdout(end())
        .stderr(end());
    let Ok(mut check) = command.spawn() else {
        project.run(&["down"]).await;
        return eprintln!("skipped: there is no program setsid");
    };
    drop(command);
    has_a_product(&database).await;

    drop(terminal);

    check.wait().await.unwrap();
    assert_eq!(product_count(&database).await, 1);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn whoever_asked_not_to_be_ended_with_the_terminal_is_not() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let mut command = Command::new("nohup");
    command.args([LAB, "check", "--rounds", "1"]).current_dir(project.path());
    command.env("PATH", project.search_path()).envs(project.variables.clone());
    let check = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    has_a_product(&database).await;

    let check = end(check, Signal::HUP).await;

    assert!(check.code != 2, "{}{}", check.output, check.errors);
    assert_eq!(product_count(&database).await, 1);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_shop_in_the_foreground_is_closed_with_its_terminal() {
    let_hangups_be_heard();
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let mut up = project.command(&["up", "--foreground"]).spawn().unwrap();
    wait_until("the shop is open", async || project.answers().await).await;
    let status = project.status().await;

    kill_process(pid_of(up.id().unwrap()), Signal::HUP).unwrap();

    assert!(up.wait().await.unwrap().success());
    assert_all_gone(&status).await;
}

async fn has_a_product(database: &TestDatabase) {
    wait_until("there is a product of the lab", async || product_count(database).await > 1).await;
}

async fn end(command: Child, signal: Signal) -> Outcome {
    kill_process(pid_of(command.id().unwrap()), signal).unwrap();
    Outcome::of(command.wait_with_output().await.unwrap())
}

pub(super) async fn replicas_have(project: &Project, variable: &str) -> bool {
    let pids = replica_pids(&project.status().await);
    let read = |pid| fs::read_to_string(format!("/proc/{pid}/environ")).ok();
    let mut environments = pids.into_iter().filter_map(read);
    environments.any(|environment| environment.split('\0').any(|set| set == variable))
}
