//! A database that is away: the lab's own one is stopped for a while, or another one isn't up yet.

use std::time::{Duration, Instant};

use flash_sale_lab::control::messages::DatabaseStop;
use flash_sale_testbed::http::answers_ok;
use flash_sale_testbed::testing::TestDatabase;
use tokio::io::{AsyncBufReadExt, BufReader, copy_bidirectional};
use tokio::net::{TcpSocket, TcpStream};

use super::*;

#[tokio::test]
async fn postgres_can_be_stopped_for_a_while_and_comes_back_on_its_port() {
    let project = Project::new();
    project.up().await;

    for how in [DatabaseStop::Immediate, DatabaseStop::Fast] {
        let before = project.status().await["database"]["private"].clone();
        let begun = Instant::now();

        // The outage lasts long enough to look at the shop, also on a busy machine.
        let outage = Request::StopDatabase { seconds: 3, how };
        let (done, ()) = tokio::join!(project.ask(&outage), async {
            wait_until("it is gone", async || is_gone(before["pid"].as_u64().unwrap() as u32)).await;
            assert!(project.status().await["database"]["private"]["pid"].is_null());
            assert!(!answers_ok(&project.url("/ready")).await);
            assert!(project.answers().await);
        });

        assert_eq!(done, Event::Done);
        assert!(begun.elapsed() >= Duration::from_secs(3));
        let after = project.status().await["database"]["private"].clone();
        assert!(after["pid"] != before["pid"] && after["port"] == before["port"]);
        // PostgreSQL accepts connections already: the one who asked for the outage may count the
        // time from here.
        assert!(project.run(&["psql", "-Atc", "SELECT 1"]).await.success);
        wait_until("the shop sells again", async || answers_ok(&project.url("/ready")).await).await;
    }
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_database_that_is_not_the_labs_own_is_not_stopped() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    let answer = project.ask(&Request::StopDatabase { seconds: 0, how: DatabaseStop::Immediate }).await;

    let Event::Failed(reason) = answer else { panic!("{answer:?}") };
    assert!(
        reason.starts_with("the shop has no private PostgreSQL that this command could stop"),
        "{reason}"
    );
    assert!(answers_ok(&project.url("/ready")).await);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_lab_that_is_stopped_does_not_wait_for_the_end_of_an_outage() {
    let project = Project::new();
    project.up().await;
    let status = project.status().await;
    let outage = Request::StopDatabase { seconds: 3600, how: DatabaseStop::Fast };

    let (answer, down) = tokio::join!(project.ask(&outage), async {
        let pid = status["database"]["private"]["pid"].as_u64().unwrap() as u32;
        wait_until("it is gone", async || is_gone(pid)).await;
        project.run(&["down"]).await
    });

    assert_eq!(answer, Event::Failed("the shop was stopped. Start it: make run".to_owned()));
    assert!(down.success, "{}", down.errors);
    assert_all_gone(&status).await;
}

#[tokio::test]
async fn a_lab_that_starts_before_its_database_says_so_and_waits() {
    let database = TestDatabase::create().await;
    let (start, end) = database.url.rsplit_once('/').unwrap();
    let (login, real_port) = start.rsplit_once(':').unwrap();
    // The port is bound, but nobody listens there, so it refuses connections.
    let door = TcpSocket::new_v4().unwrap();
    door.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut project = Project::new();
    let url = format!("{login}:{}/{end}", door.local_addr().unwrap().port());
    project.variables = vec![("DATABASE_URL", url)];

    let mut up = project.command(&["up"]).spawn().unwrap();
    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines();
    let said = lines.next_line().await.unwrap().unwrap();
    assert_eq!(said, "waiting for the database of DATABASE_URL: Connection refused (os error 111)…");
    let (door, real_port) = (door.listen(16).unwrap(), real_port.parse().unwrap());
    let forwarding = tokio::spawn(async move {
        loop {
            let (mut client, _) = door.accept().await.unwrap();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", real_port)).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });

    assert!(up.wait().await.unwrap().success());
    assert!(project.answers().await);
    project.run(&["down"]).await;
    forwarding.abort();
}
