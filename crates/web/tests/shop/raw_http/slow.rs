//! Clients that take their time: each is told when it is over, and nobody else waits for them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use flash_sale_core::limits::REQUEST_HEAD_TIMEOUT;
use futures::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{Doors, RawAnswer, get, post, read_to_end};

/// Of the head and of the body each: `GATEWAY_HEAD_TIMEOUT` and `BODY_TIMEOUT`. A replica itself gives a head a second
/// more.
pub const LIMIT: Duration = Duration::from_secs(5);
/// How much later a busy machine may say so; also for the second that the end of the connection takes.
pub const SLACK: Duration = Duration::from_secs(8);

/// Sends one byte after the other, and reads until the connection is closed. In time, that is.
async fn dribble(address: SocketAddr, first: &[u8], then: u8) -> Vec<RawAnswer> {
    let begun = Instant::now();
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(first).await.unwrap();
    let (mut reader, mut writer) = connection.into_split();
    let dribbling = tokio::spawn(async move {
        while writer.write_all(&[then]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut bytes = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut bytes);
    let ended = tokio::time::timeout(super::PATIENCE, read).await;
    dribbling.abort();
    assert!(ended.is_ok(), "still open: {}", super::shown(first));
    let took = begun.elapsed();
    assert!((LIMIT - Duration::from_millis(500)..LIMIT + SLACK).contains(&took), "{took:?}");
    super::parse(&bytes)
}

#[tokio::test]
async fn a_head_that_takes_longer_than_5_s_is_408() {
    let doors = Doors::open().await;
    let dribbling = doors.addresses.map(|address| dribble(address, b"GET /health HTTP/1.1\r\nX: ", b'x'));
    let [by_replica, by_gateway] = join_all(dribbling).await.try_into().unwrap();

    for answers in [&by_replica, &by_gateway] {
        assert_eq!((answers.len(), answers[0].status), (1, 408), "{answers:?}");
        assert!(answers[0].head.contains("connection: close"), "{}", answers[0].head);
    }
    assert_eq!(by_replica[0].body, "");
    by_gateway[0].assert_problem(408, "The request took too long to arrive");
}

/// As browsers open them in advance: the replica has closed its side by then.
#[tokio::test]
async fn a_connection_may_wait_for_its_first_request() {
    let doors = Doors::open().await;
    let mut connection = TcpStream::connect(doors.addresses[1]).await.unwrap();

    tokio::time::sleep(REQUEST_HEAD_TIMEOUT + Duration::from_secs(2)).await;

    let request = get("/health");
    connection.write_all(request.as_bytes()).await.unwrap();
    let answers = read_to_end(&mut connection, request.as_bytes()).await;
    assert_eq!(super::statuses(&answers), [200]);
}

#[tokio::test]
async fn a_body_that_takes_longer_than_5_s_is_408_and_what_it_is_for_does_not_happen() {
    let doors = Doors::open().await;
    doors.shop.buy_on(0, doors.book).await;
    let reset = |headers: &str, body: &str| post(headers, body).replace("/api/orders", "/api/reset");
    let sized = "Content-Length: 60000\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let one_chunk = format!("ea60\r\n{}", doors.order());
    let requests = [
        post(sized, &doors.order()),
        post(chunked, &one_chunk),
        // These two don't look at their body, and wait no longer for it.
        reset(sized, "{}"),
        reset(chunked, &one_chunk),
        post("Upgrade: websocket\r\nContent-Length: 60000\r\n", &doors.order()),
    ];

    let mut conversations = Vec::new();
    for request in &requests {
        for address in doors.addresses {
            conversations.push(dribble(address, request.as_bytes(), b' '));
        }
    }
    for answers in join_all(conversations).await {
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers[0].assert_problem(408, "The body did not arrive in time");
        assert!(answers[0].head.contains("connection: close"), "{}", answers[0].head);
    }
    assert_eq!((doors.shop.order_count().await, doors.shop.stock().await), (1, 999));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_carried_out() {
    let doors = Doors::open().await;
    let request = post("Content-Length: 60000\r\n", &doors.order());

    for address in doors.addresses {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        connection.shutdown().await.unwrap();
        let answers = read_to_end(&mut connection, request.as_bytes()).await;
        assert!(answers.iter().all(|answer| answer.status == 400), "{answers:?}");
    }
    assert_eq!(doors.shop.order_count().await, 0);
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_keeps_nobody_waiting() {
    let doors = Doors::open().await;
    doors
        .shop
        .execute("INSERT INTO orders (product_id, served_by) SELECT id, 'replica-1' FROM products, generate_series(1, 1000)")
        .await;
    // Some 12 MB of answers, more than the kernel takes in their place.
    let requests = "GET /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(80);
    let mut silent = Vec::new();
    for address in doors.addresses.into_iter().cycle().take(4) {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(requests.as_bytes()).await.unwrap();
        silent.push(connection);
    }

    for _ in 0..50 {
        for address in doors.addresses {
            let begun = Instant::now();
            let answers = super::talk(address, get("/health").as_bytes()).await;
            assert_eq!(answers[0].status, 200);
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        }
    }
}
