//! How a conversation ends: what the client is told when its replica dies, closes or answers early. [`moving_on`]:
//! how the next request reaches another replica.

mod moving_on;

use super::*;

const REQUEST: &[u8] = b"POST /api/orders HTTP/1.1\r\nHost: shop\r\nContent-Length: 2\r\n\r\n{}";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const REFUSAL: &str = "HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";

/// A replica with one connection. The test itself reads and writes on it.
struct Puppet {
    gateway: SocketAddr,
    listener: TcpListener,
    running: Gateway,
}

impl Puppet {
    async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    async fn with(limits: Limits) -> Self {
        let listener = TcpListener::bind(ANY_PORT).await.unwrap();
        let (gateway, running) = start_gateway_with(limits, &[Some(listener.local_addr().unwrap())]);
        Self { gateway, listener, running }
    }

    /// A client's side and the replica's side of a new connection.
    async fn connect(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.gateway).await.unwrap();
        (client, accept(&self.listener).await)
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    timeout(LIMIT, listener.accept()).await.expect("a connection").unwrap().0
}

async fn send(from: &mut TcpStream, bytes: &[u8], to: &mut TcpStream) {
    from.write_all(bytes).await.unwrap();
    assert_received(bytes, to).await;
}

async fn assert_received(bytes: &[u8], to: &mut TcpStream) {
    let mut received = vec![0; bytes.len()];
    timeout(LIMIT, to.read_exact(&mut received)).await.expect("what was sent").unwrap();
    assert_eq!(received, bytes);
}

async fn assert_end(stream: &mut TcpStream) {
    let count = timeout(LIMIT, stream.read(&mut [0])).await.expect("an end").unwrap_or(0);
    assert_eq!(count, 0);
}

/// Ends the connection as a killed process does: what was sent arrives, and then a reset.
fn kill(replica: TcpStream) {
    replica.set_zero_linger().unwrap();
}

/// Everything that the client still gets. A reset ends it.
async fn rest(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = timeout(LIMIT, client.read_to_end(&mut bytes)).await.expect("an end");
    String::from_utf8(bytes).unwrap()
}

#[track_caller]
fn assert_outcome_unknown(answer: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(head.contains("\r\nContent-Type: application/problem+json"), "{head}");
    assert!(head.contains("\r\nConnection: close"), "{head}");
    assert!(!head.contains("Retry-After"), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{head}");
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["title"], "Service Unavailable");
    assert_eq!(problem["status"], 503);
    assert_eq!(problem["outcome"], "unknown");
    assert_eq!(
        problem["detail"],
        "The answer was lost, so the outcome is unknown. If the request had an Idempotency-Key, send it again with \
         the same key"
    );
}

#[tokio::test]
async fn a_replica_that_dies_with_a_request_leaves_an_unknown_outcome_and_no_second_request() {
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let other = Echo::start("2").await;
    let (gateway, _running) = start_gateway(&[Some(listener.local_addr().unwrap()), Some(other.address)]);
    let mut client = TcpStream::connect(gateway).await.unwrap();
    let mut replica = accept(&listener).await;

    send(&mut client, REQUEST, &mut replica).await;
    kill(replica);

    assert_outcome_unknown(&rest(&mut client).await);
    assert_eq!((other.connections(), other.requests.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test]
async fn an_http_client_reads_it_as_the_answer_to_its_request() {
    let puppet = Puppet::new().await;
    let url = format!("http://{}/api/orders", puppet.gateway);
    // The body is longer than what the buffers take when a replica stops reading.
    let body = vec![b' '; 10_000_000];
    let request =
        tokio::spawn(reqwest::Client::builder().no_proxy().build().unwrap().post(url).body(body).send());
    let mut replica = accept(&puppet.listener).await;
    replica.read_exact(&mut [0; 1000]).await.unwrap();

    kill(replica);

    let answer = request.await.unwrap().unwrap();
    assert_eq!(answer.status(), 503);
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(problem["outcome"], "unknown");
}

#[tokio::test]
async fn after_a_whole_answer_the_next_request_has_an_unknown_outcome_too() {
    let puppet = Puppet::new().await;
    let (mut client, mut replica) = puppet.connect().await;
    send(&mut client, REQUEST, &mut replica).await;
    send(&mut replica, ANSWER.as_bytes(), &mut client).await;

    send(&mut client, REQUEST, &mut replica).await;
    drop(replica);

    assert_outcome_unknown(&rest(&mut client).await);
}

#[tokio::test]
async fn in_the_middle_of_an_answer_nothing_is_added() {
    let puppet = Puppet::new().await;
    for length in [1, ANSWER.len() - 6, ANSWER.len() - 1] {
        let (mut client, mut replica) = puppet.connect().await;
        send(&mut client, REQUEST, &mut replica).await;
        send(&mut replica, &ANSWER.as_bytes()[..length], &mut client).await;
        // The client pipelines: it doesn't wait for the end of the first answer.
        send(&mut client, REQUEST, &mut replica).await;

        kill(replica);

        assert_eq!(rest(&mut client).await, "");
    }
}

#[tokio::test]
async fn of_two_requests_at_once_the_one_without_an_answer_has_an_unknown_outcome() {
    let puppet = Puppet::new().await;
    let (mut client, mut replica) = puppet.connect().await;
    send(&mut client, &[REQUEST, REQUEST].concat(), &mut replica).await;
    send(&mut replica, ANSWER.as_bytes(), &mut client).await;

    kill(replica);

    assert_outcome_unknown(&rest(&mut client).await);
}

#[tokio::test]
async fn an_early_refusal_arrives_whole_although_the_client_still_sends() {
    let puppet = Puppet::new().await;
    let (mut client, mut replica) = puppet.connect().await;
    send(&mut client, REQUEST, &mut replica).await;

    replica.write_all(REFUSAL.as_bytes()).await.unwrap();
    drop(replica);
    assert!(client.peek(&mut [0]).await.unwrap() > 0);
    // The client goes on sending. If it met a reset here, it might never look at the answer.
    for _ in 0..20 {
        client.write_all(&[b' '; 100_000]).await.unwrap();
    }

    assert_eq!(rest(&mut client).await, REFUSAL);
}

#[tokio::test]
async fn a_client_of_nobody_is_let_go_when_the_gateway_closes() {
    let puppet = Puppet::new().await;
    let (mut client, replica) = puppet.connect().await;
    drop(replica);

    puppet.running.close().await;

    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn a_replica_is_told_at_once_that_its_client_has_gone() {
    let puppet = Puppet::new().await;
    for is_reset in [false, true] {
        let (mut client, mut replica) = puppet.connect().await;
        send(&mut client, REQUEST, &mut replica).await;

        if is_reset {
            client.set_zero_linger().unwrap();
        }
        drop(client);

        assert_end(&mut replica).await;
    }
}

#[tokio::test]
async fn a_client_that_finished_sending_to_a_replica_that_then_dies_is_told() {
    let puppet = Puppet::new().await;
    let (mut client, mut replica) = puppet.connect().await;
    send(&mut client, REQUEST, &mut replica).await;
    client.shutdown().await.unwrap();
    assert_end(&mut replica).await;

    drop(replica);

    assert_outcome_unknown(&rest(&mut client).await);
}

#[tokio::test]
async fn a_replica_that_gives_no_answer_in_time_leaves_an_unknown_outcome() {
    let limits = Limits { answer: Duration::from_millis(200), ..Limits::default() };
    let puppet = Puppet::with(limits).await;
    let (mut client, mut replica) = puppet.connect().await;

    send(&mut client, REQUEST, &mut replica).await;

    assert_outcome_unknown(&rest(&mut client).await);
    // The replica is told that nobody waits any more.
    assert_end(&mut replica).await;
}

#[tokio::test]
async fn a_replica_that_stops_in_the_middle_of_an_answer_is_given_up_in_time() {
    let limits = Limits { answer: Duration::from_millis(200), ..Limits::default() };
    let puppet = Puppet::with(limits).await;
    let (mut client, mut replica) = puppet.connect().await;
    send(&mut client, REQUEST, &mut replica).await;

    send(&mut replica, &ANSWER.as_bytes()[..20], &mut client).await;

    assert_eq!(rest(&mut client).await, "");
}
