//! Requests whose end can be read in two ways, with an order behind the one of them: it is never carried out.
//! Nor is one that comes behind an answer that has ended the connection.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Doors, PATIENCE, assert_last, chunk, post, post_sized, shown, statuses};

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

#[tokio::test]
async fn a_request_with_two_ends_is_refused_and_what_follows_is_not_carried_out() {
    let doors = Doors::open().await;
    let smuggled = String::from_utf8(post_sized("", doors.order())).unwrap();
    let behind_chunks = format!("0\r\n\r\n{smuggled}");
    let mut requests = vec![
        post(&format!("Content-Length: 5\r\n{CHUNKED}"), &behind_chunks),
        post(&format!("{CHUNKED}Content-Length: 5\r\n"), &behind_chunks),
        post(&format!("Content-Length: {}\r\n{CHUNKED}", behind_chunks.len()), &behind_chunks),
        post(&format!("{CHUNKED}{CHUNKED}"), &behind_chunks),
        post(&format!("{CHUNKED}Transfer-Encoding: identity\r\n"), &behind_chunks),
        post("Content-Length: 0\r\nContent-Length: 5\r\n", &smuggled),
        post("Content-Length: 0, 5\r\n", &smuggled),
        post("Content-Length : 5\r\n", &smuggled),
        post("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", &format!("hello{smuggled}")),
        post("Content-Length: 0\r\n\u{b}Transfer-Encoding: chunked\r\n", &behind_chunks),
        post("Content-Length: 0\r\nX: y\rTransfer-Encoding: chunked\r\n", &behind_chunks),
    ];
    for encoding in [
        "identity",
        "xchunked",
        "chunkedx",
        "chunked, identity",
        "gzip, chunked",
        "chunked, chunked",
        "chunked;q=1",
        "\"chunked\"",
        "\u{b}chunked",
        "",
    ] {
        requests.push(post(&format!("Transfer-Encoding: {encoding}\r\n"), &behind_chunks));
    }
    requests.push(post("Transfer-Encoding : chunked\r\n", &behind_chunks));
    requests.push(post("Transfer-Encoding:\r\n chunked\r\n", &behind_chunks));

    for request in requests {
        assert_eq!(doors.statuses(&request).await, [400], "{}", shown(request.as_bytes()));
    }
    assert_eq!(doors.shop.order_count().await, 0);
}

#[tokio::test]
async fn nothing_behind_a_broken_body_is_carried_out() {
    let doors = Doors::open().await;
    let order = doors.order();
    let smuggled = String::from_utf8(post_sized("", &order)).unwrap();

    for body in [
        format!("11111111111111111\r\n{order}\r\n0\r\n\r\n"),
        format!("ffffffffffffffff0\r\n{order}\r\n0\r\n\r\n"),
        format!("5\r\n{order}\r\n0\r\n\r\n"),
        format!("{:x}\n{order}\n0\n\n", order.len()),
        "2;\u{7}\r\n{}\r\n0\r\n\r\n".to_owned(),
        "z\r\n{}\r\n0\r\n\r\n".to_owned(),
    ] {
        let request = post(CHUNKED, &format!("{body}{smuggled}"));
        for answers in doors.ask(&request).await {
            assert_eq!(statuses(&answers), [400], "{}", shown(request.as_bytes()));
        }
    }
    assert_eq!(doors.shop.order_count().await, 0);
}

#[tokio::test]
async fn a_whole_request_before_garbage_is_carried_out_or_not_and_its_answer_says_so() {
    let doors = Doors::open().await;
    let order = doors.order();

    let request = post(CHUNKED, &format!("{}0\r\n\r\nGARBAGE\r\n\r\n", chunk(&order)));
    let answers = doors.ask(&request).await;

    let sold = answers.iter().flatten().filter(|answer| answer.status == 200).count() as i64;
    // Whoever sends garbage behind an order may lose its answer; the order is taken back with it.
    assert!(answers.iter().all(|answers| answers.len() <= 2), "{answers:?}");
    assert_eq!(doors.shop.order_count().await, sold);
}

/// Both whole, so that their ends are clear; but the client was told that there is no other answer.
#[tokio::test]
async fn nothing_behind_a_body_that_was_too_long_is_carried_out() {
    let doors = Doors::open().await;
    let smuggled = String::from_utf8(post_sized("", doors.order())).unwrap();
    let long = " ".repeat(70_000);

    for request in [
        post(CHUNKED, &format!("{}0\r\n\r\n{smuggled}", chunk(&long))),
        post(&format!("Content-Length: {}\r\n", long.len()), &format!("{long}{smuggled}")),
    ] {
        for answers in doors.ask(&request).await {
            assert_last(&answers, 413);
        }
    }
    assert_eq!(doors.shop.order_count().await, 0);
}

/// A body that nobody asked for is a body all the same, and not the next request.
#[tokio::test]
async fn a_body_is_not_taken_for_a_request() {
    let doors = Doors::open().await;
    let body = String::from_utf8(post_sized("", doors.order())).unwrap();

    for line in [
        "GET /health",
        "HEAD /health",
        "POST /health",
        "GET /nowhere",
        "DELETE /api/orders",
        "GET /static/shop.css",
    ] {
        for framed in [
            format!("Content-Length: {}\r\n\r\n{body}", body.len()),
            format!("{CHUNKED}\r\n{}0\r\n\r\n", chunk(&body)),
        ] {
            let request = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{framed}");
            for address in doors.addresses {
                assert_one_answer(address, request.as_bytes()).await;
            }
        }
    }
    assert_eq!(doors.shop.order_count().await, 0);
}

/// HEAD's answer announces a body that doesn't come, so it is not parsed here.
async fn assert_one_answer(address: SocketAddr, request: &[u8]) {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, connection.read_to_end(&mut answer)).await;
    read.expect("the connection is closed").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 "), "{}", shown(request));
    assert_eq!(answer.windows(9).filter(|window| window == b"HTTP/1.1 ").count(), 1, "{}", shown(request));
}
