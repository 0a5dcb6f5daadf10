//! `flash-sale-web healthcheck`: a container has no other program that could ask.

use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use flash_sale_testbed::testing::{Replica, ReplicaSettings};

use crate::SHOP;

#[tokio::test]
async fn it_succeeds_while_the_replica_answers() {
    let database_away = "postgres://nobody@127.0.0.1:1/nothing";
    let replica = Replica::start(SHOP.as_ref(), ReplicaSettings::new(database_away)).await;

    for host in ["127.0.0.1", "0.0.0.0", "localhost"] {
        let output = healthcheck(host, replica.port);
        assert!(output.status.success(), "{host}: {output:?}");
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{host}: {output:?}");
    }
}

#[test]
fn it_fails_with_a_reason_when_nobody_listens() {
    let output = healthcheck("127.0.0.1", 1);

    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("error: no answer from http://127.0.0.1:1/health"), "{error}");
}

#[test]
fn it_fails_in_time_when_the_replica_hangs() {
    // Connections are taken by the kernel, and nobody answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();

    let begun = Instant::now();
    let output = healthcheck("127.0.0.1", listener.local_addr().unwrap().port());

    assert_eq!(output.status.code(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn another_word_is_answered_with_the_usage() {
    let output = command("127.0.0.1", 1).arg("healthchek").output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("error: there is no command healthchek\nusage: flash-sale-web"), "{error}");
}

fn healthcheck(host: &str, port: u16) -> Output {
    command(host, port).arg("healthcheck").output().unwrap()
}

fn command(host: &str, port: u16) -> Command {
    let mut command = Command::new(SHOP);
    command
        .env_clear()
        .envs([("HOST", host), ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing")])
        .env("PORT", port.to_string());
    command
}
