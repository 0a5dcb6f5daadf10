//! A shop whose database can't be used. The person who starts the shop or replaces its replicas is told so, and
//! why. The shop goes on, and sells once the database can be used.

use std::net::TcpListener;
use std::time::Duration;

use flash_sale_lab::control::messages::DatabaseStop;
use flash_sale_testbed::testing::{Pooler, TestDatabase};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::*;

const REASON: &str = "unsupported startup parameter: options";
/// A few seconds each for the login, for the replicas and for the reason, with time for a busy machine.
const LIMIT: Duration = Duration::from_secs(40);

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn up_and_restart_say_why_the_database_can_not_be_used_until_it_can() {
    let database = TestDatabase::create().await;
    let pooler = Pooler::before(&database.url).await;
    pooler.refuse_options("08P01", REASON);
    let mut project = Project::new();
    project.variables = vec![("DATABASE_URL", pooler.url.clone())];
    let message = format!(
        "error: the shop is up at http://localhost:{}, but without its database: {REASON}\n\
         This is the message of a connection pooler. The shop needs PostgreSQL itself: see README.md, \"Your own \
         PostgreSQL\".\n\
         The shop sells as soon as it can use the database. After a correction of DATABASE_URL: make stop run\n",
        project.port
    );

    let up = project.run(&["up"]).await;
    assert!(!up.success);
    assert_eq!(up.errors, message);
    let last_lines = "\nreplica-1 runs without its database\nreplica-2 runs without its database\n";
    assert!(up.output.ends_with(last_lines), "{}", up.output);
    assert!(project.answers().await);

    let log = project.run(&["logs", "--no-follow"]).await.output;
    for replica in ["replica-1 | ", "replica-2 | "] {
        let said = log.lines().filter(|line| line.starts_with(replica) && line.contains(REASON)).count();
        assert_eq!(said, 1, "{log}");
    }
    // `make logs` begins with so many lines, so the reason is among them.
    assert!(log.lines().count() <= 40, "{log}");

    let again = project.run(&["up"]).await;
    assert_eq!((again.success, again.errors), (false, message.clone()));
    let restart = project.run(&["restart"]).await;
    assert_eq!((restart.success, restart.errors), (false, message));
    let replaced = "replica-1 replaced, and runs without its database\n\
                    replica-2 replaced, and runs without its database\n";
    assert_eq!(restart.output, replaced);

    pooler.hand_on();
    wait_until("the shop sells", async || project.run(&["up"]).await.success).await;
    let restart = project.run(&["restart"]).await;
    assert!(restart.success, "{}", restart.errors);
    assert_eq!(restart.output, "replica-1 replaced\nreplica-2 replaced\n");
    project.run(&["down"]).await;
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn a_database_that_does_not_answer_the_shop_is_said_after_a_few_seconds() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    // This port accepts the connections, but nobody answers there.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://flash_sale_shop:hunter2@127.0.0.1:{port}/nothing");

    let mut up = project.command(&["up"]);
    let up = timeout(LIMIT, up.env("DATABASE_URL", url).output()).await.expect("it says so in time");
    let up = Outcome::of(up.unwrap());

    assert!(!up.success);
    let note = "note: the login of the role flash_sale_shop of DATABASE_URL could not be tested: no answer\n";
    assert!(up.output.contains(note), "{}", up.output);
    assert!(up.errors.contains("but without its database: no answer in 3 s\n"), "{}", up.errors);
    assert!(!up.errors.contains("hunter2"), "{}", up.errors);
    assert!(project.answers().await);
    // The learner's edit is not at fault.
    let check = project.run(&["check"]).await;
    assert_eq!(
        check.errors,
        "error: the shop can't use its database, and no edit can change that. See why: make logs\n"
    );
    project.run(&["down"]).await;
}

#[tokio::test]
async fn in_the_foreground_a_missing_database_is_said_and_the_shop_stays() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    // The port is bound, but nobody listens there, so it refuses connections.
    let door = TcpSocket::new_v4().unwrap();
    door.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("postgres://flash_sale_shop:hunter2@{}/nothing", door.local_addr().unwrap());
    let mut command = project.command(&["up", "--foreground"]);
    let mut up = command.env("DATABASE_URL", url).spawn().unwrap();

    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines();
    let said = timeout(LIMIT, async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it says so");
            if line.starts_with("the shop is up at") {
                return line;
            }
        }
    });
    let said = said.await.expect("it says so in time");

    assert!(said.ends_with("but without its database: Connection refused (os error 111)"), "{said}");
    assert!(project.answers().await);
    kill_process(pid_of(up.id().unwrap()), Signal::INT).unwrap();
    assert!(up.wait().await.unwrap().success());
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn without_the_labs_own_postgres_a_restart_says_where_its_log_is() {
    let mut project = Project::new();
    project.variables = vec![("REPLICAS", "1".to_owned())];
    project.up().await;
    let database = project.status().await["database"]["private"].clone();
    let outage = Request::StopDatabase { seconds: 3600, how: DatabaseStop::Fast };

    let (_, restart) = tokio::join!(project.ask(&outage), async {
        wait_until("it is gone", async || is_gone(database["pid"].as_u64().unwrap() as u32)).await;
        let restart = project.run(&["restart"]).await;
        project.run(&["down"]).await;
        restart
    });

    assert!(!restart.success);
    assert!(restart.errors.contains("but without its database: "), "{}", restart.errors);
    let log = database["log"].as_str().unwrap();
    assert!(restart.errors.ends_with(&format!("See why it does not run: {log}\n")), "{}", restart.errors);
}

#[tokio::test]
async fn a_pooler_that_drops_the_shops_limits_is_said() {
    let database = TestDatabase::create().await;
    let pooler = Pooler::before(&database.shop_url).await;
    let project = Project::on(&database);
    let up = async || {
        let up = project.command(&["up"]).env("DATABASE_URL", &pooler.url).output().await.unwrap();
        project.run(&["down"]).await;
        Outcome::of(up)
    };
    let note = "\nnote: a connection pooler drops the shop's time limits (lock_timeout is 0 ms, not 3000). ";

    let kept = up().await;
    pooler.drop_options();
    let dropped = up().await;

    assert!(kept.success && !kept.output.contains("note: "), "{}{}", kept.output, kept.errors);
    assert!(dropped.success && dropped.output.contains(note), "{}{}", dropped.output, dropped.errors);
}
