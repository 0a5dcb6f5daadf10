//! Many purchases pass, and no byte is changed.

use std::hash::{DefaultHasher, Hasher};

use flash_sale_wiretap::trace::Outcome;
use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::peers::{BareWire, message, startup};

const CONNECTIONS: u32 = 8;

/// Half a minute or so. Run it with `cargo test --workspace --test wiretap unaltered -- --ignored`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a hundred thousand purchases"]
async fn a_hundred_thousand_purchases_pass_unaltered() {
    let recorder = try_purchases(100_000 / CONNECTIONS).await.wiretap.recorder().clone();

    let kept = recorder.transactions(usize::MAX);
    assert_eq!(kept.len(), 10_000, "the memory is bounded");
    assert!(kept.iter().all(|one| one.outcome == Outcome::Committed && one.statements.len() == 4));
}

#[tokio::test]
async fn some_purchases_pass_unaltered() {
    let wire = try_purchases(20).await;

    let kept = wire.wiretap.recorder().transactions(usize::MAX);
    assert_eq!(kept.len(), 20 * CONNECTIONS as usize);
}

async fn try_purchases(each: u32) -> BareWire {
    let wire = BareWire::open().await;
    let connections = join_all((0..CONNECTIONS).map(|_| wire.connection())).await;
    let passed = join_all(connections.into_iter().map(|(client, server)| async move {
        let client = tokio::spawn(buy_all(client, each));
        let server = tokio::spawn(sell_all(server, each));
        (client.await.unwrap(), server.await.unwrap())
    }));
    for (client, server) in passed.await {
        assert_eq!(client, server, "what was sent is what arrived, in both directions");
    }
    wire
}

/// Each side's hash of what passed from the client, and of what passed to it.
type Hashes = (u64, u64);

async fn buy_all(mut client: TcpStream, count: u32) -> Hashes {
    let (mut sent, mut received) = (DefaultHasher::new(), DefaultHasher::new());
    let start = startup();
    client.write_all(&start).await.unwrap();
    sent.write(&start);
    let mut answer = vec![0; prepared().len()];
    client.read_exact(&mut answer).await.unwrap();
    received.write(&answer);
    for number in 0..count {
        let purchase = purchase(number);
        send_in_parts(&mut client, &purchase, number).await;
        sent.write(&purchase);
        let mut answer = vec![0; answers(number).len()];
        client.read_exact(&mut answer).await.unwrap();
        received.write(&answer);
    }
    (sent.finish(), received.finish())
}

async fn sell_all(mut server: TcpStream, count: u32) -> Hashes {
    let (mut received, mut sent) = (DefaultHasher::new(), DefaultHasher::new());
    let mut start = vec![0; startup().len()];
    server.read_exact(&mut start).await.unwrap();
    received.write(&start);
    server.write_all(&prepared()).await.unwrap();
    sent.write(&prepared());
    for number in 0..count {
        let mut purchase = vec![0; purchase(number).len()];
        server.read_exact(&mut purchase).await.unwrap();
        received.write(&purchase);
        let answers = answers(number);
        send_in_parts(&mut server, &answers, number).await;
        sent.write(&answers);
    }
    (received.finish(), sent.finish())
}

/// Sends it in two parts. Each purchase is cut at another place.
async fn send_in_parts(to: &mut TcpStream, bytes: &[u8], number: u32) {
    let (first, second) = bytes.split_at(number as usize % bytes.len());
    to.write_all(first).await.unwrap();
    to.write_all(second).await.unwrap();
}

/// What PostgreSQL says when a session begins.
fn prepared() -> Vec<u8> {
    let pid = message(b'K', &[0, 0, 0, 7, 0, 0, 0, 9]);
    [message(b'R', &[0; 4]), pid, message(b'Z', b"I")].concat()
}

fn purchase(number: u32) -> Vec<u8> {
    let sync = message(b'S', b"");
    let bind = [b"\0s1\0\0\x01\0\x01\0\x01\0\0\0\x04".as_slice(), &number.to_be_bytes(), b"\0\0"].concat();
    [
        message(b'Q', b"BEGIN\0"),
        message(b'P', b"s1\0INSERT INTO orders VALUES ($1)\0\0\x01\0\0\0\x17"),
        message(b'D', b"Ss1\0"),
        sync.clone(),
        message(b'B', &bind),
        message(b'E', b"\0\0\0\0\0"),
        sync,
        message(b'Q', b"UPDATE products SET quantity = quantity - 1\0"),
        message(b'Q', b"COMMIT\0"),
    ]
    .concat()
}

fn answers(number: u32) -> Vec<u8> {
    let ready = message(b'Z', b"T");
    let note = format!("SNOTICE\0Mnumber {number}\0\0");
    [
        message(b'C', b"BEGIN\0"),
        ready.clone(),
        message(b'1', b""),
        message(b't', &[0, 1, 0, 0, 0, 0x17]),
        message(b'n', b""),
        ready.clone(),
        message(b'2', b""),
        message(b'C', b"INSERT 0 1\0"),
        ready.clone(),
        message(b'N', note.as_bytes()),
        message(b'C', b"UPDATE 1\0"),
        ready,
        message(b'C', b"COMMIT\0"),
        message(b'Z', b"I"),
    ]
    .concat()
}
