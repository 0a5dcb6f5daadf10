//! A private PostgreSQL, and what may have happened to its folder before.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::fs;
use std::path::Path;
use std::process::Command;

use flash_sale_lab::guard::User;
use flash_sale_lab::postgres::{Cluster, ClusterSettings, Durability};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DbBackend, Statement};

fn settings(folder: &Path) -> ClusterSettings {
    // Reachable for PostgreSQL's own user, should we be root.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder, open).unwrap();
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.flash-sale/programs");
    let say = |line: &str| eprintln!("{line}");
    ClusterSettings::find(&folder.join("postgres"), &programs, Durability::Disposable, &say).unwrap()
}

async fn execute(url: &str, sql: &str) -> Result<u64, sea_orm::DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    let rows =
        connection.execute_raw(Statement::from_string(DbBackend::Postgres, sql)).await?.rows_affected();
    connection.close().await?;
    Ok(rows)
}

#[tokio::test]
async fn rows_are_still_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());

    let cluster = Cluster::start(&settings).await.unwrap();
    cluster.ensure_database("shop").await.unwrap();
    execute(&cluster.url("shop"), "CREATE TABLE kept AS SELECT 1 AS number").await.unwrap();
    assert_eq!(cluster.stop().await.unwrap().code(), Some(0));

    let cluster = Cluster::start(&settings).await.unwrap();
    cluster.ensure_database("shop").await.unwrap();
    assert_eq!(execute(&cluster.url("shop"), "SELECT * FROM kept").await.unwrap(), 1);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn nobody_gets_in_without_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&settings(folder.path())).await.unwrap();
    let password = fs::read_to_string(cluster.password_file()).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(cluster.password_file()).unwrap().permissions(),
    );

    let without = cluster.url("postgres").replace(&password, "wrong");

    assert!(execute(&without, "SELECT 1").await.is_err());
    assert!(execute(&cluster.url("postgres"), "SELECT 1").await.is_ok());
    assert_eq!(mode & 0o777, 0o600);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn the_pid_file_of_a_killed_server_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let pid_file = settings.place.folder.join("data/postmaster.pid");
    let mut cluster = Cluster::start(&settings).await.unwrap();
    let pid = cluster.pid();
    kill(pid);
    cluster.wait().await.unwrap();
    drop(cluster);

    // A number that lives and is a stranger's: ours.
    let text = fs::read_to_string(&pid_file).unwrap();
    fs::write(&pid_file, text.replace(&pid.to_string(), &std::process::id().to_string())).unwrap();

    Cluster::start(&settings).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn an_initdb_that_was_killed_half_way_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    for unfinished in ["data", "data.unfinished"] {
        let unfinished = settings.place.folder.join(unfinished);
        fs::create_dir(&unfinished).unwrap();
        fs::write(unfinished.join("postgresql.conf"), "nonsense").unwrap();
        give(&unfinished, settings.place.user);
    }

    Cluster::start(&settings).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn of_two_starters_in_one_folder_the_second_waits_for_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let first = Cluster::start(&settings).await.unwrap();
    execute(&first.url("postgres"), "CREATE TABLE kept ()").await.unwrap();

    let second = tokio::spawn({
        let settings = settings.clone();
        async move { Cluster::start(&settings).await.unwrap() }
    });
    // The first one works undisturbed while the second one asks for its place.
    for _ in 0..10 {
        assert!(execute(&first.url("postgres"), "SELECT FROM kept").await.is_ok());
    }
    assert!(!second.is_finished());
    first.stop().await.unwrap();

    let second = second.await.unwrap();
    assert!(execute(&second.url("postgres"), "SELECT FROM kept").await.is_ok());
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    Cluster::start(&settings).await.unwrap().stop().await.unwrap();
    fs::write(settings.place.folder.join("data/postgresql.conf"), "no_such_setting = on\n").unwrap();

    let error = Cluster::start(&settings).await.err().expect("it can't start").to_string();

    assert!(error.contains("did not start"), "{error}");
    assert!(error.contains("no_such_setting"), "{error}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    settings.port = Some(taken.local_addr().unwrap().port());

    let error = Cluster::start(&settings).await.err().expect("the port is taken").to_string();

    assert!(error.contains("could not get a port"), "{error}");
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

fn give(folder: &Path, user: Option<User>) {
    if let Some(user) = user {
        let owner = format!("{}:{}", user.uid, user.gid);
        assert!(Command::new("chown").args(["-R", &owner]).arg(folder).status().unwrap().success());
    }
}
