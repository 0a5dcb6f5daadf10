//! A private PostgreSQL, and what may have happened to its folder before.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use flash_sale_testbed::guard::{GuardedCommand, Signal, User};
use flash_sale_testbed::port::free_port;
use flash_sale_testbed::postgres::{Address, Cluster, ClusterSettings, Durability, Listen};
use flash_sale_testbed::testing::wait_until;
use rustix::fs::{CWD, FileType, Mode, mknodat};
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
async fn a_socket_is_there_whatever_its_folder_is_called_and_whatever_a_killed_server_has_left() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let other = Cluster::start(&settings(elsewhere.path())).await.unwrap();
    let odd = folder.path().join(r#"a, "b" c#d@e%41é"#);
    fs::create_dir(&odd).unwrap();
    let mut settings = settings(&odd);
    settings.listen = Listen::InItsFolder;
    let mut cluster = Cluster::start(&settings).await.unwrap();
    assert_eq!(*cluster.address(), Address::Socket(settings.place.folder.clone()));
    let pid = cluster.pid();
    kill(pid);
    cluster.wait().await.unwrap();
    drop(cluster);

    // As with its pid file.
    let lock = settings.place.folder.join(".s.PGSQL.5432.lock");
    let text = fs::read_to_string(&lock).unwrap();
    fs::write(&lock, text.replace(&pid.to_string(), &other.pid().to_string())).unwrap();
    let cluster = Cluster::start(&settings).await.unwrap();

    assert!(execute(&cluster.url("postgres"), "SELECT 1").await.is_ok());
    cluster.stop().await.unwrap();
    other.stop().await.unwrap();
}

#[tokio::test]
async fn the_number_of_another_server_in_the_pid_file_is_no_obstacle() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let settings_here = settings(folder.path());
    let pid_file = settings_here.place.folder.join("data/postmaster.pid");
    let cluster = Cluster::start(&settings_here).await.unwrap();
    let text = fs::read_to_string(&pid_file).unwrap().replace(&cluster.pid().to_string(), "PID");
    cluster.stop().await.unwrap();
    let other = Cluster::start(&settings(elsewhere.path())).await.unwrap();

    fs::write(&pid_file, text.replace("PID", &other.pid().to_string())).unwrap();
    let cluster = Cluster::start(&settings_here).await.unwrap();

    assert!(execute(&other.url("postgres"), "SELECT 1").await.is_ok());
    assert!(execute(&cluster.url("postgres"), "SELECT 1").await.is_ok());
    cluster.stop().await.unwrap();
    other.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_somebody_else_started_in_the_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    Cluster::start(&settings).await.unwrap().stop().await.unwrap();
    let data = settings.place.folder.join("data");
    let port = format!("port={}", free_port().unwrap());
    // Not by the lab: it holds no lock.
    let by_hand = GuardedCommand::new(settings.programs.postgres())
        .args([Path::new("-D"), &data])
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", &port])
        .directory("/")
        .user(settings.place.user)
        .stop_with(Signal::INT, Duration::from_secs(10));
    let by_hand = by_hand.start(fs::File::create("/dev/null").unwrap()).await.unwrap();
    wait_until("it is ready", async || {
        fs::read_to_string(data.join("postmaster.pid")).is_ok_and(|text| text.contains("ready"))
    })
    .await;

    let error = Cluster::start(&settings).await.err().expect("the folder is in use").to_string();

    assert!(error.starts_with(&format!("another PostgreSQL (process {}) uses ", by_hand.pid())), "{error}");
    by_hand.stop().await.unwrap();
}

#[tokio::test]
async fn a_copy_without_modes_is_mended_and_one_without_owners_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    Cluster::start(&settings).await.unwrap().stop().await.unwrap();
    let data = settings.place.folder.join("data");
    fs::set_permissions(&data, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();

    Cluster::start(&settings).await.unwrap().stop().await.unwrap();

    let Some(user) = settings.place.user else { return eprintln!("skipped: only root can copy so") };
    std::os::unix::fs::chown(&data, Some(0), Some(0)).unwrap();
    let error = Cluster::start(&settings).await.err().expect("the data are root's").to_string();
    assert!(error.ends_with(&format!("Or: chown -R {} {}", user.uid, data.display())), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_let_the_lab_in_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    Cluster::start(&settings).await.unwrap().stop().await.unwrap();
    fs::write(settings.place.folder.join("password"), "another").unwrap();

    let error = Cluster::start(&settings).await.err().expect("the password is wrong").to_string();

    let said = r#"PostgreSQL runs, but this program can't log in: password authentication failed for user "postgres""#;
    assert!(error.contains(said), "{error}");
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
    settings.listen = Listen::OnPort(Some(taken.local_addr().unwrap().port()));

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

/// Root starts the server, and PostgreSQL's own user has been in its folder before.
#[tokio::test]
async fn nothing_that_postgres_has_put_into_its_folder_harms_root() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    Cluster::start(&settings).await.unwrap().stop().await.unwrap();
    let place = settings.place.folder.clone();
    if settings.place.user.is_none() {
        return eprintln!("skipped: only root has the server run as another user");
    }
    let root = |path: &Path| fs::metadata(path).unwrap().uid() == 0;
    let entries: Vec<_> = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(entries.len() > 3 && !entries.iter().any(|entry| root(entry)), "{entries:?}");

    let theirs = folder.path().join("roots");
    fs::write(&theirs, "kept").unwrap();
    fs::set_permissions(&theirs, PermissionsExt::from_mode(0o644)).unwrap();
    for name in ["postgres.log", "password", "shop-password", "data/postmaster.pid"] {
        for trick in [Trick::Link, Trick::SecondName, Trick::Pipe] {
            let (path, aside) = (place.join(name), place.join("aside"));
            let _ = fs::rename(&path, &aside);
            trick.put(&theirs, &path);

            let start = tokio::time::timeout(Duration::from_secs(20), Cluster::start(&settings)).await;

            match start.unwrap_or_else(|_| panic!("{trick:?} as {name}: root waits")) {
                Ok(cluster) => panic!("{trick:?} as {name} is used: {:?}", cluster.stop().await),
                Err(error) => assert!(format!("{error:#}").contains(name), "{trick:?} as {name}: {error:#}"),
            }
            assert_eq!(fs::read_to_string(&theirs).unwrap(), "kept", "{trick:?} as {name}");
            assert!(
                root(&theirs) && fs::metadata(&theirs).unwrap().mode() & 0o777 == 0o644,
                "{trick:?} as {name}"
            );
            fs::remove_file(&path).unwrap();
            let _ = fs::rename(&aside, &path);
        }
    }
    // A link in the place of the whole folder leads nowhere either.
    fs::rename(place.join("data"), place.join("aside")).unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("PG_VERSION"), "15\n").unwrap();
    fs::write(elsewhere.join("postmaster.pid"), "1\n").unwrap();
    symlink(&elsewhere, place.join("data")).unwrap();
    let error = Cluster::start(&settings).await.err().expect("a link is no data folder");
    assert!(format!("{error:#}").contains("can't open"), "{error:#}");
    assert!(elsewhere.join("postmaster.pid").exists());
}

/// What can be in the place of a file.
#[derive(Clone, Copy, Debug)]
enum Trick {
    Link,
    SecondName,
    Pipe,
}

impl Trick {
    fn put(self, file: &Path, at: &Path) {
        match self {
            Self::Link => symlink(file, at).unwrap(),
            Self::SecondName => fs::hard_link(file, at).unwrap(),
            Self::Pipe => mknodat(CWD, at, FileType::Fifo, Mode::RWXU, 0).unwrap(),
        }
    }
}
