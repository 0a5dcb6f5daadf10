//! The time limits of connections: nobody keeps a connection for ever.

use std::time::Instant;

use super::*;

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed() {
    let one = Echo::start("1").await;
    let (address, gateway) =
        start_gateway_with(Limits { idle: SHORT, ..Limits::default() }, &[Some(one.address)]);
    let mut client = TcpStream::connect(address).await.unwrap();
    let begun = Instant::now();

    let end = timeout(LIMIT, client.read(&mut [0])).await.expect("an end");
    assert_eq!(end.unwrap(), 0);

    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    drop(client);
    wait_until("it is forgotten", async || gateway.connections().open == 0).await;
}

#[tokio::test]
async fn a_connection_whose_replica_has_closed_it_is_kept_no_longer() {
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let idle = Duration::from_secs(2);
    let limits = Limits { idle, ..Limits::default() };
    let (address, _gateway) = start_gateway_with(limits, &[Some(listener.local_addr().unwrap())]);
    let mut client = TcpStream::connect(address).await.unwrap();
    let (mut replica, _) = listener.accept().await.unwrap();
    client.write_all(GET).await.unwrap();
    replica.read_exact(&mut [0; GET.len()]).await.unwrap();
    replica.write_all(answer("1").as_bytes()).await.unwrap();
    client.read_exact(&mut vec![0; answer("1").len()]).await.unwrap();

    // A replica closes a connection that nobody uses a little before the gateway does.
    tokio::time::sleep(idle * 3 / 4).await;
    drop(replica);
    let closed = Instant::now();

    let end = timeout(LIMIT, client.read(&mut [0])).await.expect("an end");
    assert_eq!(end.unwrap(), 0);
    assert!(closed.elapsed() < idle, "{:?} after its replica", closed.elapsed());
}

#[tokio::test]
async fn a_connection_that_is_used_again_and_again_stays() {
    const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    // The limit is longer than a busy machine keeps an answer waiting.
    let limit = Duration::from_secs(1);
    let limits = Limits { idle: limit, answer: limit, ..Limits::default() };
    let (address, _gateway) = start_gateway_with(limits, &[Some(listener.local_addr().unwrap())]);
    let mut client = TcpStream::connect(address).await.unwrap();
    let (mut replica, _) = listener.accept().await.unwrap();

    let begun = Instant::now();
    while begun.elapsed() < limit + SHORT {
        client.write_all(GET).await.unwrap();
        replica.read_exact(&mut [0; GET.len()]).await.unwrap();
        replica.write_all(ANSWER).await.unwrap();
        client.read_exact(&mut [0; ANSWER.len()]).await.unwrap();
    }
}

#[tokio::test]
async fn the_limit_of_an_answer_counts_from_its_request_however_long_nobody_used_the_connection() {
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let limits = Limits { answer: SHORT, ..Limits::default() };
    let (address, _gateway) = start_gateway_with(limits, &[Some(listener.local_addr().unwrap())]);
    let mut client = TcpStream::connect(address).await.unwrap();
    let (_replica, _) = listener.accept().await.unwrap();
    tokio::time::sleep(2 * SHORT).await;
    let begun = Instant::now();

    client.write_all(GET).await.unwrap();
    let mut answer = String::new();
    timeout(LIMIT, client.read_to_string(&mut answer)).await.expect("an end").unwrap();

    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_client_that_reads_nothing_or_a_byte_now_and_then_is_let_go() {
    for is_reading in [false, true] {
        let listener = TcpListener::bind(ANY_PORT).await.unwrap();
        let limits = Limits { write: SHORT, ..Limits::default() };
        let (address, gateway) = start_gateway_with(limits, &[Some(listener.local_addr().unwrap())]);
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(GET).await.unwrap();
        let (mut replica, _) = listener.accept().await.unwrap();
        replica.read_exact(&mut [0; GET.len()]).await.unwrap();
        replica.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").await.unwrap();

        let sips = async {
            while is_reading && client.read_exact(&mut [0]).await.is_ok() {
                tokio::time::sleep(SHORT / 10).await;
            }
            std::future::pending::<()>().await
        };
        // This is more than the buffers of the kernel hold.
        let chunk = vec![0; 1_000_000];
        let written = async { while replica.write_all(&chunk).await.is_ok() {} };
        tokio::select! {
            () = sips => {}
            ended = timeout(LIMIT, written) => ended.expect("an end"),
        }

        wait_until("it is let go", async || gateway.connections().open == 0).await;
    }
}

#[tokio::test]
async fn a_replica_that_does_not_accept_in_time_is_passed_over() {
    // This listener's queue has room for one connection, and is full: the kernel lets further connections wait.
    let full = TcpSocket::new_v4().unwrap();
    full.bind(ANY_PORT).unwrap();
    let full = full.listen(0).unwrap();
    let full_address = full.local_addr().unwrap();
    let _waiting = TcpStream::connect(full_address).await.unwrap();
    let two = Echo::start("2").await;
    let limits = Limits { connect: SHORT, ..Limits::default() };
    let (address, _gateway) = start_gateway_with(limits, &[Some(full_address), Some(two.address)]);

    assert_eq!(name_of_next(address).await, "2");
}

#[tokio::test]
async fn a_frozen_replica_is_left_out_of_the_turn_until_it_answers_again() {
    let (one, two) = (Echo::start("1").await, Echo::start("2").await);
    let (address, gateway) = start_gateway(&[Some(one.address), Some(two.address)]);

    gateway.set_frozen(0, true);
    for _ in 0..4 {
        assert_eq!(name_of_next(address).await, "2");
    }
    // When all replicas are frozen, each keeps its turn.
    gateway.set_frozen(1, true);
    assert_ne!(name_of_next(address).await, name_of_next(address).await);
    gateway.set_frozen(0, false);
    gateway.set_frozen(1, false);
    assert_ne!(name_of_next(address).await, name_of_next(address).await);
}

#[tokio::test]
async fn a_frozen_replica_still_gets_what_nobody_else_accepts() {
    let (dead, two) = (dead_replica(), Echo::start("2").await);
    let (address, gateway) = start_gateway(&[Some(dead.local_addr().unwrap()), Some(two.address)]);

    gateway.set_frozen(1, true);

    assert_eq!(name_of_next(address).await, "2");
}
