//! Neither side notices the wire, whatever passes.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use flash_sale_testbed::postgres::programs::find_psql;
use flash_sale_testbed::testing::wait_until;
use futures::StreamExt;
use proptest::prelude::*;
use sea_orm::sqlx::{self, Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::peers::{ASKS_FOR_TLS, BareWire, message, pass, startup};
use crate::{Wire, sent};

#[tokio::test]
async fn rows_of_a_copy_pass_in_both_directions() {
    let wire = Wire::open().await;
    let book = wire.book().await;
    let mut session = wire.session().await;

    let mut copy = session.copy_in_raw("COPY orders (product_id, served_by) FROM STDIN").await.unwrap();
    copy.send(format!("{book}\tone\n{book}\ttwo\n").into_bytes()).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 2);
    let mut rows = session.copy_out_raw("COPY (SELECT served_by FROM orders) TO STDOUT").await.unwrap();
    let mut read = Vec::new();
    while let Some(part) = rows.next().await {
        read.extend(part.unwrap());
    }
    drop(rows);
    sqlx::query("UPDATE products SET quantity = 3").execute(&mut session).await.unwrap();

    assert_eq!(read, b"one\ntwo\n");
    let transactions = wire.transactions();
    let tags: Vec<_> = transactions.iter().map(|one| one.statements[0].tag.as_deref().unwrap()).collect();
    assert_eq!(tags, ["COPY 2", "COPY 2", "UPDATE 1"]);
}

/// psql asks for encryption first, and cancels on a connection of its own.
#[tokio::test]
async fn a_statement_can_be_cancelled() {
    let wire = Wire::open().await;
    let psql = find_psql(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.flash-sale/programs")).unwrap();
    let url = wire.wiretap.url_of("replica-1").unwrap().replace("sslmode=disable", "sslmode=prefer");
    let psql = Command::new(psql)
        .args([&url, "-X", "-c", "UPDATE products SET quantity = 7 FROM pg_sleep(60)"])
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    wait_until("it runs", async || !wire.transactions().is_empty()).await;

    let pid = rustix::process::Pid::from_raw(psql.id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = psql.wait_with_output().await.unwrap();

    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("canceling statement due to user request"), "{said}");
    assert_eq!(wire.only_transaction().statements[0].error.as_deref(), Some("57014"));
    let mut session = wire.session().await;
    session.ping().await.unwrap();
    assert_eq!(sent(&wire.only_transaction()).len(), 1);
}

#[tokio::test]
async fn encrypted_bytes_pass_as_they_are() {
    let wire = BareWire::open().await;
    let (mut client, mut server) = wire.connection().await;

    pass(&mut client, &mut server, ASKS_FOR_TLS).await;
    pass(&mut server, &mut client, b"S").await;
    for _ in 0..3 {
        pass(&mut client, &mut server, &[7; 100_000]).await;
        pass(&mut server, &mut client, &[9; 100_000]).await;
    }

    assert_eq!(wire.wiretap.recorder().transactions(9), []);
}

#[test]
fn any_bytes_pass_as_they_are_in_both_directions() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let wire = runtime.block_on(BareWire::open());
    let bytes = || prop::collection::vec(any::<u8>(), 0..3000);
    let message_like = (any::<u8>(), bytes()).prop_map(|(tag, body)| message(tag, &body));
    let part = prop_oneof![bytes(), message_like];
    let parts = prop::collection::vec((any::<bool>(), part), 1..6);

    let mut runner = proptest::test_runner::TestRunner::default();
    let result = runner.run(&(any::<bool>(), parts), |(starts, parts)| {
        runtime.block_on(async {
            let (mut client, mut server) = wire.connection().await;
            if starts {
                pass(&mut client, &mut server, &startup()).await;
            }
            for (to_server, part) in &parts {
                let (from, to) =
                    if *to_server { (&mut client, &mut server) } else { (&mut server, &mut client) };
                pass(from, to, part).await;
            }
        });
        Ok(())
    });
    result.unwrap();
}

#[tokio::test]
async fn an_end_and_a_reset_are_handed_on() {
    let wire = BareWire::open().await;
    let (mut client, mut server) = wire.connection().await;
    client.shutdown().await.unwrap();
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0, "the client has said everything");
    pass(&mut server, &mut client, b"the rest").await;
    drop(server);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);

    let (client, mut server) = wire.connection().await;
    client.set_zero_linger().unwrap();
    drop(client);
    let error = server.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// Otherwise a server that is slow would have the lab's memory filled.
#[tokio::test]
async fn a_side_that_does_not_read_stops_the_other_one() {
    let wire = BareWire::open().await;
    let (mut client, mut server) = wire.connection().await;
    let part = vec![7; 1024 * 1024];

    let mut passed = 0;
    while timeout(Duration::from_millis(500), client.write_all(&part)).await.is_ok() {
        passed += part.len();
        assert!(passed < 64 * part.len(), "the wire takes everything, and nobody reads it");
    }

    let mut arrived = vec![0; passed];
    server.read_exact(&mut arrived).await.unwrap();
    assert!(arrived.iter().all(|byte| *byte == 7));
}

#[tokio::test]
async fn a_client_is_told_that_nobody_answers() {
    let wire = BareWire::open().await;
    let url = wire.wiretap.url_of("replica-1").unwrap().to_owned();
    let BareWire { wiretap: _wiretap, listener, .. } = wire;
    drop(listener);

    let error = sqlx::PgConnection::connect(&url).await.unwrap_err();

    assert!(matches!(error, sqlx::Error::Io(_)), "{error}");
}
