//! The replicas of a running lab: killed, replaced, asked to stop in the middle of a purchase.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flash_sale_core::{order, product};
use flash_sale_testbed::testing::{SideConnection, TestDatabase};
use sea_orm::EntityTrait;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::*;

fn client() -> reqwest::Client {
    // Each request gets a new connection, as many different buyers have.
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
}

#[tokio::test]
async fn of_two_requests_each_replica_answers_one() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    for _ in 0..10 {
        let mut names = Vec::new();
        for _ in 0..2 {
            let answer = client().get(project.url("/health")).send().await.unwrap();
            names.push(answer.headers()["x-served-by"].to_str().unwrap().to_owned());
        }
        names.sort();
        assert_eq!(names, ["replica-1", "replica-2"]);
    }
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_rolling_restart_fails_no_request_on_a_new_connection_nor_on_a_kept_one() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let before = replica_pids(&project.status().await);
    let done = Arc::new(AtomicBool::new(false));
    let keeps = [false, false, true, true, true, true];
    let buyers = keeps.map(|keeps| tokio::spawn(read_until(Arc::clone(&done), project.port, keeps)));

    for _ in 0..3 {
        let restart = project.run(&["restart"]).await;
        assert!(restart.success, "{}", restart.errors);
        assert_eq!(restart.output, "replica-1 replaced\nreplica-2 replaced\n");
    }
    done.store(true, Ordering::SeqCst);

    for buyer in buyers {
        assert!(buyer.await.unwrap() > 0);
    }
    let after = replica_pids(&project.status().await);
    assert!(after.len() == 2 && before.iter().all(|pid| is_gone(*pid) && !after.contains(pid)));
    project.run(&["down"]).await;
}

/// Asks for the book again and again until it is `done`, and returns how many answers it got. Panics when it
/// doesn't get one. It doesn't use an HTTP client, which might try again by itself.
async fn read_until(done: Arc<AtomicBool>, port: u16, keeps: bool) -> usize {
    let mut connection = None;
    let mut answered = 0;
    while !done.load(Ordering::SeqCst) {
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => BufReader::new(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap()),
        };
        let request = format!("GET /api/products HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(stream.read_line(&mut head).await.unwrap() > 0, "after {answered} answers: {head:?}");
        }
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let head = head.to_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
        stream.read_exact(&mut vec![0; length.parse().unwrap()]).await.unwrap();
        answered += 1;
        connection = Some(stream).filter(|_| keeps && !head.contains("connection: close"));
    }
    answered
}

#[tokio::test]
async fn a_purchase_in_flight_is_answered_by_a_lab_that_stops() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let book = product::Entity::find().one(&database.connection).await.unwrap().unwrap();
    let side = SideConnection::open(&database.url).await;
    project.up().await;
    let status = project.status().await;

    // The purchase waits for this lock until the replicas were told to stop.
    side.begin().await;
    side.lock_product(book.id).await;
    let body = serde_json::json!({ "product_id": book.id });
    let order = tokio::spawn(client().post(project.url("/api/orders")).json(&body).send());
    wait_until("the purchase waits", async || !side.waiting_statements().await.is_empty()).await;
    let stop = tokio::spawn(project.command(&["down"]).output());
    wait_until("the door is closed", async || project.port_is_free().await).await;
    side.commit().await;

    let answer = order.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    assert!(stop.await.unwrap().unwrap().status.success());
    assert_all_gone(&status).await;
}

#[tokio::test]
async fn a_replica_that_dies_is_started_again() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let before = replica_pids(&project.status().await);

    kill(before[0]);

    wait_until("both run again", async || {
        let status = project.status().await;
        status["replicas"][0]["restarts"] == 1 && replica_pids(&status).len() == 2
    })
    .await;
    let after = replica_pids(&project.status().await);
    assert!(after[0] != before[0] && after[1] == before[1]);
    assert!(project.answers().await);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_replica_that_is_killed_again_and_again_is_back_each_time() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    for kills in 1..=5 {
        kill(replica_pids(&project.status().await)[0]);

        wait_until("both run again", async || {
            let status = project.status().await;
            status["replicas"][0]["restarts"] == kills && replica_pids(&status).len() == 2
        })
        .await;
    }
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_purchase_whose_replica_dies_has_an_unknown_outcome_that_its_key_settles() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let book = product::Entity::find().one(&database.connection).await.unwrap().unwrap();
    let side = SideConnection::open(&database.url).await;
    project.up().await;
    let body = serde_json::json!({ "product_id": book.id });
    let buy = || client().post(project.url("/api/orders")).header("Idempotency-Key", "k").json(&body).send();
    side.begin().await;
    side.lock_product(book.id).await;

    let order = tokio::spawn(buy());
    wait_until("the purchase waits", async || !side.waiting_statements().await.is_empty()).await;
    for pid in replica_pids(&project.status().await) {
        kill(pid);
    }

    let lost = order.await.unwrap().unwrap();
    assert_eq!(lost.status(), 503);
    assert!(!lost.headers().contains_key("retry-after"));
    let problem: Value = lost.json().await.unwrap();
    assert_eq!(problem["outcome"], "unknown");
    side.rollback().await;
    wait_until("it is settled", async || buy().await.is_ok_and(|answer| answer.status() == 200)).await;
    assert_eq!(order::Entity::find().all(&database.connection).await.unwrap().len(), 1);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_purchase_whose_client_goes_away_is_not_made_later() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let book = product::Entity::find().one(&database.connection).await.unwrap().unwrap();
    let side = SideConnection::open(&database.url).await;
    project.up().await;
    side.begin().await;
    side.lock_product(book.id).await;

    let body = serde_json::json!({ "product_id": book.id });
    let order = tokio::spawn(client().post(project.url("/api/orders")).json(&body).send());
    wait_until("the purchase waits", async || !side.waiting_statements().await.is_empty()).await;
    // The request's connection ends with it.
    order.abort();
    wait_until("both sides have let it go", async || project.status().await["connections_open"] == 0).await;
    // The purchase is not gone because it had waited too long: the shop has dropped it, and only PostgreSQL doesn't
    // know that yet.
    assert!(!side.waiting_statements().await.is_empty());
    side.commit().await;

    // As long as the transaction of the purchase lives, it could still be committed.
    wait_until("nothing is under way", async || side.open_transactions().await == 0).await;
    assert_eq!(order::Entity::find().all(&database.connection).await.unwrap().len(), 0);
    let after = product::Entity::find().one(&database.connection).await.unwrap().unwrap();
    assert_eq!(after.quantity, 1);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_frozen_replica_is_passed_over_until_it_answers_again() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let frozen = pid_of(replica_pids(&project.status().await)[0]);
    let answers = async || project.status().await["replicas"][0]["process"]["answers"].clone();
    let served_by = async || {
        let answer = client().get(project.url("/health")).send().await.unwrap();
        answer.headers()["x-served-by"].to_str().unwrap().to_owned()
    };

    kill_process(frozen, Signal::STOP).unwrap();
    wait_until("it is noticed", async || answers().await == false).await;

    for _ in 0..4 {
        assert_eq!(served_by().await, "replica-2");
    }
    let table = project.run(&["status"]).await.output;
    let line = table.lines().find(|line| line.starts_with("replica-1")).unwrap();
    assert!(line.ends_with("not answering"), "{table}");

    kill_process(frozen, Signal::CONT).unwrap();
    wait_until("that it answers is noticed", async || answers().await == true).await;
    assert_ne!(served_by().await, served_by().await);
    let log = fs::read_to_string(project.path().join(".flash-sale/logs/lab.log")).unwrap();
    // The lab says it once, and not with each question. (A busy machine may have frozen the replica once more.)
    let count = |text| log.matches(text).count();
    assert!(count("replica-1 runs, but does not answer") > 0, "{log}");
    assert_eq!(count("replica-1 runs, but does not answer"), count("replica-1 answers again"), "{log}");
    assert_eq!(project.status().await["replicas"][0]["restarts"], 0);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_lab_that_stops_says_which_replica_it_waits_for() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let status = project.status().await;
    let frozen = pid_of(replica_pids(&status)[1]);
    kill_process(frozen, Signal::STOP).unwrap();

    let mut down = project.command(&["down"]).spawn().unwrap();
    let mut lines = BufReader::new(down.stdout.take().unwrap()).lines();
    let said = "waiting for replica-2 to answer what it has accepted; it is killed after 20 s";
    // On a busy machine, the other replica may take its time too.
    while lines.next_line().await.unwrap().expect("it says so") != said {}
    // The replica has been told to end, and ends as soon as it can.
    kill_process(frozen, Signal::CONT).unwrap();

    assert!(down.wait().await.unwrap().success());
    assert_all_gone(&status).await;
}

#[tokio::test]
async fn when_new_processes_do_not_start_the_old_ones_stay() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let before = replica_pids(&project.status().await);

    // The lab hands this on without reading it, and the shop refuses it.
    let restart = project.command(&["restart"]).env("ORDER_API_URL", "nonsense").output().await.unwrap();

    let restart = Outcome::of(restart);
    assert!(!restart.success);
    assert!(restart.errors.starts_with("error: replica-1 ended while it started"), "{}", restart.errors);
    assert!(restart.errors.contains("ORDER_API_URL=nonsense"), "{}", restart.errors);
    assert_eq!(replica_pids(&project.status().await), before);
    assert!(project.answers().await);

    assert!(project.run(&["restart"]).await.success);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_postgres_that_dies_is_started_again_on_its_port() {
    let project = Project::new();
    project.up().await;
    let before = project.status().await["database"]["private"].clone();

    kill(before["pid"].as_u64().unwrap() as u32);

    let ready = project.url("/ready");
    wait_until("another one runs", async || {
        let now = project.status().await["database"]["private"].clone();
        now["pid"].is_u64() && now["pid"] != before["pid"] && now["port"] == before["port"]
    })
    .await;
    wait_until("the replicas reach it", async || flash_sale_testbed::http::answers_ok(&ready).await).await;
    project.run(&["down"]).await;
}
