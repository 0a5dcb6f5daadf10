//! Clients that take their time, on the first request of a connection and on later ones. It makes no difference what
//! the requests before were: nobody keeps a connection by sending a byte now and then.

use std::time::Instant;

use futures::future::join_all;

use super::*;

/// Longer than a busy machine takes for a step. It is far shorter than the other limits, so that a wrong limit shows.
const SHORT: Duration = Duration::from_millis(500);
const BETWEEN_DROPS: Duration = Duration::from_millis(20);
const ORDER: &str = "POST /api/orders HTTP/1.1\r\nHost: shop\r\n";

/// Requests whose ends are found in different ways.
const REQUESTS: [(&str, &str); 8] = [
    ("none before", ""),
    ("a plain one", "GET / HTTP/1.1\r\nHost: shop\r\n\r\n"),
    (
        "in chunks",
        "POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nTrailer: x\r\n\r\n",
    ),
    ("another protocol", "GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
    ("HTTP/1.0 kept alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
    (
        "waits to be asked",
        "POST / HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    ),
    (
        "pipelined",
        "GET / HTTP/1.1\r\nHost: shop\r\n\r\nPOST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 1\r\n\r\nx",
    ),
    ("long head", ""),
];

/// A replica that gives so many answers, and reads the rest without a word.
async fn start_replica(answers: usize) -> SocketAddr {
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        if answers > 0 {
            client.readable().await.unwrap();
            client.write_all(answer("1").repeat(answers).as_bytes()).await.unwrap();
        }
        let mut buffer = [0; 1024];
        while client.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    });
    address
}

/// Returns what the client is told, and how long that takes. The time runs from the first byte that the
/// client sends after `before`.
async fn drip(limits: Limits, before: &str, answers: usize, first: &str, drop: &[u8]) -> (String, Duration) {
    let (address, _gateway) = start_gateway_with(limits, &[Some(start_replica(answers).await)]);
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(before.as_bytes()).await.unwrap();
    let mut answered = vec![0; answer("1").repeat(answers).len()];
    timeout(LIMIT, client.read_exact(&mut answered)).await.expect("the answers before").unwrap();

    let begun = Instant::now();
    client.write_all(first.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = client.split();
    let mut told = Vec::new();
    let dripping = async {
        // Send until the other side closes. Then the answer is read to its end.
        while writer.write_all(drop).await.is_ok() {
            tokio::time::sleep(BETWEEN_DROPS).await;
        }
        std::future::pending::<()>().await
    };
    tokio::select! {
        read = timeout(LIMIT, reader.read_to_end(&mut told)) => { let _ = read.expect("an end"); }
        () = dripping => {}
    }
    (String::from_utf8(told).unwrap(), begun.elapsed())
}

#[track_caller]
fn assert_in_time(took: Duration, name: &str) {
    // The other limits are ten times as long.
    assert!((SHORT..5 * SHORT).contains(&took), "{name}: {took:?}");
}

fn limits() -> Limits {
    let long = 10 * SHORT;
    Limits { idle: long, answer: long, head: SHORT, write: long, ..Limits::default() }
}

#[tokio::test]
async fn a_head_that_comes_drop_by_drop_is_408_whatever_came_before_it() {
    join_all(REQUESTS.map(|(name, before)| async move {
        let answers = match name {
            "none before" | "long head" => 0,
            "pipelined" => 2,
            _ => 1,
        };
        let start = if name == "long head" {
            format!("{ORDER}Cookie: {}", "c".repeat(20_000))
        } else {
            ORDER.to_owned()
        };
        let (told, took) = drip(limits(), before, answers, &start, b"X").await;
        let (head, body) = told.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{name}: {told:?}"));
        assert!(head.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{name}: {told}");
        assert!(head.contains("Content-Type: application/problem+json"), "{name}: {told}");
        assert!(body.contains(r#""detail":"The request took too long to arrive""#), "{name}: {told}");
        assert_in_time(took, name);
    }))
    .await;
}

#[tokio::test]
async fn a_body_that_comes_drop_by_drop_does_not_count_as_a_sign_of_life() {
    let limits = Limits { answer: SHORT, head: 10 * SHORT, ..limits() };
    let bodies = [
        ("sized", "Content-Length: 60000\r\n\r\n", &b"x"[..]),
        ("in chunks", "Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        ("in a trailer", "Transfer-Encoding: chunked\r\n\r\n0\r\n", b"Trailer: x\r\n"),
        ("broken", "Transfer-Encoding: chunked\r\n\r\nno size", b"x"),
        ("another protocol", "Upgrade: websocket\r\nContent-Length: 60000\r\n\r\n", b"x"),
        ("waits to be asked", "Expect: 100-continue\r\nContent-Length: 60000\r\n\r\n", b"x"),
    ];
    join_all(bodies.iter().flat_map(|(name, rest, drop)| {
        [0, 1].map(|answers| async move {
            let before = REQUESTS[answers].1;
            let (told, took) = drip(limits, before, answers, &format!("{ORDER}{rest}"), drop).await;
            assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("unknown"), "{name}: {told}");
            assert_in_time(took, name);
        })
    }))
    .await;
}

#[tokio::test]
async fn a_client_that_goes_on_behind_its_last_answer_is_left() {
    let limits = Limits { answer: SHORT, head: 10 * SHORT, linger: BETWEEN_DROPS, ..limits() };
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let (address, gateway) = start_gateway_with(limits, &[Some(listener.local_addr().unwrap())]);
    let mut client = TcpStream::connect(address).await.unwrap();
    let (mut replica, _) = listener.accept().await.unwrap();
    client.write_all(GET).await.unwrap();
    replica.read_exact(&mut [0; GET.len()]).await.unwrap();
    let last = answer("1").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    replica.write_all(last.as_bytes()).await.unwrap();
    client.read_exact(&mut vec![0; last.len()]).await.unwrap();

    let begun = Instant::now();
    let drops = async {
        while client.write_all(GET).await.is_ok() {
            tokio::time::sleep(BETWEEN_DROPS).await;
        }
    };
    timeout(LIMIT, drops).await.expect("an end");

    assert_in_time(begun.elapsed(), "behind the last answer");
    wait_until("it is forgotten", async || gateway.connections().open == 0).await;
}

#[tokio::test]
async fn a_slow_head_does_not_cost_the_requests_before_it_their_answers() {
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let limits = Limits { answer: LIMIT, ..limits() };
    let (address, _gateway) = start_gateway_with(limits, &[Some(listener.local_addr().unwrap())]);
    let mut client = TcpStream::connect(address).await.unwrap();
    let (mut replica, _) = listener.accept().await.unwrap();
    client.write_all(&[GET, b"GET / HTTP/1.1\r\n"].concat()).await.unwrap();
    replica.read_exact(&mut [0; GET.len()]).await.unwrap();

    tokio::time::sleep(2 * SHORT).await;
    replica.write_all(answer("1").as_bytes()).await.unwrap();

    let mut told = String::new();
    timeout(LIMIT, client.read_to_string(&mut told)).await.expect("an end").unwrap();
    let refusal = told.strip_prefix(&answer("1")).unwrap_or_else(|| panic!("{told}"));
    assert!(refusal.starts_with("HTTP/1.1 408 "), "{told}");
}

#[tokio::test]
async fn a_client_that_pipelines_without_an_end_is_read_no_further_than_it_is_answered() {
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let (address, _gateway) = start_gateway(&[Some(listener.local_addr().unwrap())]);
    let mut client = TcpStream::connect(address).await.unwrap();
    let (mut replica, _) = listener.accept().await.unwrap();
    let all = 1000;
    client.write_all(&GET.repeat(all)).await.unwrap();

    let mut received = vec![0; GET.len() * all];
    let mut count = 0;
    while let Ok(read) = timeout(SHORT, replica.read(&mut received[count..])).await {
        count += read.unwrap();
    }
    let under_way = count / GET.len();
    assert!((64..500).contains(&under_way), "{under_way}");

    let answers = tokio::spawn(async move {
        let mut answered = 0;
        loop {
            let whole = count / GET.len();
            replica.write_all(answer("1").repeat(whole - answered).as_bytes()).await.unwrap();
            answered = whole;
            if answered == all {
                return replica;
            }
            count += replica.read(&mut received[count..]).await.unwrap();
        }
    });
    let mut told = vec![0; answer("1").len() * all];
    timeout(LIMIT, client.read_exact(&mut told)).await.expect("all answers").unwrap();
    assert_eq!(told, answer("1").repeat(all).as_bytes());
    answers.await.unwrap();
}
