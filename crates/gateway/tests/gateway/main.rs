//! The gateway, in front of tiny servers that show what reaches them.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod endings;
mod limits;
mod slow;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flash_sale_gateway::limits::Limits;
use flash_sale_gateway::{self as gateway, Gateway};
use flash_sale_testbed::testing::wait_until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a test waits for something that should come soon. When it doesn't come, the test fails and
/// doesn't go on without an end.
const LIMIT: Duration = Duration::from_secs(10);
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n";

/// Answers each request of each connection with its own name of one letter, and counts the connections.
struct Echo {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Echo {
    async fn start(name: &'static str) -> Self {
        Self::on(TcpListener::bind(ANY_PORT).await.unwrap(), name)
    }

    fn on(listener: TcpListener, name: &'static str) -> Self {
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (connection_count, request_count) = (Arc::clone(&connections), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            // This task owns the clients: they end with it.
            let mut clients = tokio::task::JoinSet::new();
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                connection_count.fetch_add(1, Ordering::SeqCst);
                let request_count = Arc::clone(&request_count);
                clients.spawn(async move {
                    while client.read_exact(&mut [0; GET.len()]).await.is_ok() {
                        request_count.fetch_add(1, Ordering::SeqCst);
                        client.write_all(answer(name).as_bytes()).await.unwrap();
                    }
                });
            }
        });
        Self { address, connections, requests, task }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

fn answer(name: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len())
}

/// A replica that is dead. Its port is bound, but nobody listens there, so it refuses connections.
/// Nobody else can take the port meanwhile.
fn dead_replica() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(ANY_PORT).unwrap();
    socket
}

fn start_gateway(replicas: &[Option<SocketAddr>]) -> (SocketAddr, Gateway) {
    start_gateway_with(Limits::default(), replicas)
}

fn start_gateway_with(limits: Limits, replicas: &[Option<SocketAddr>]) -> (SocketAddr, Gateway) {
    let listener = gateway::bind(ANY_PORT).unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = Gateway::start_with(limits, listener, replicas.len()).unwrap();
    for (index, replica) in replicas.iter().enumerate() {
        gateway.set_replica(index, *replica);
    }
    (address, gateway)
}

async fn name_of_next(gateway: SocketAddr) -> String {
    let mut client = TcpStream::connect(gateway).await.unwrap();
    ask_name(&mut client).await
}

async fn ask_name(client: &mut TcpStream) -> String {
    client.write_all(GET).await.unwrap();
    let mut named = vec![0; answer("1").len()];
    client.read_exact(&mut named).await.unwrap();
    char::from(*named.last().unwrap()).to_string()
}

#[tokio::test]
async fn new_connections_alternate_strictly() {
    let (one, two) = (Echo::start("1").await, Echo::start("2").await);
    let (address, _gateway) = start_gateway(&[Some(one.address), Some(two.address)]);

    let mut names = String::new();
    for _ in 0..100 {
        names += &name_of_next(address).await;
    }

    assert_eq!(names, "12".repeat(50));
}

#[tokio::test]
async fn of_two_connections_at_once_each_replica_gets_one() {
    let (one, two) = (Echo::start("1").await, Echo::start("2").await);
    let (address, _gateway) = start_gateway(&[Some(one.address), Some(two.address)]);

    for round in 0..100 {
        let (first, second) = tokio::join!(name_of_next(address), name_of_next(address));

        assert_ne!(first, second, "round {round}");
    }
}

#[tokio::test]
async fn a_dead_replica_is_skipped_and_used_again_once_it_is_back() {
    let dead = dead_replica();
    let two = Echo::start("2").await;
    let (address, _gateway) = start_gateway(&[Some(dead.local_addr().unwrap()), Some(two.address)]);

    for _ in 0..10 {
        assert_eq!(name_of_next(address).await, "2");
    }

    let one = Echo::on(dead.listen(16).unwrap(), "1");
    let names = [name_of_next(address).await, name_of_next(address).await];
    assert_eq!(names, ["1", "2"]);

    one.stop().await;
    for _ in 0..10 {
        assert_eq!(name_of_next(address).await, "2");
    }
}

#[tokio::test]
async fn a_replica_that_was_replaced_keeps_what_is_under_way() {
    let (old, new) = (TcpListener::bind(ANY_PORT).await.unwrap(), Echo::start("2").await);
    let (address, gateway) = start_gateway(&[Some(old.local_addr().unwrap())]);
    let mut client = TcpStream::connect(address).await.unwrap();
    let (mut replica, _) = old.accept().await.unwrap();
    let (first, rest) = GET.split_at(10);
    client.write_all(first).await.unwrap();
    replica.read_exact(&mut vec![0; first.len()]).await.unwrap();

    gateway.set_replica(0, Some(new.address));

    assert_eq!(name_of_next(address).await, "2");
    client.write_all(rest).await.unwrap();
    replica.read_exact(&mut vec![0; rest.len()]).await.unwrap();
}

#[tokio::test]
async fn a_thousand_idle_connections_do_not_keep_it_from_answering() {
    flash_sale_testbed::open_files::raise();
    let (one, two) = (Echo::start("1").await, Echo::start("2").await);
    let (address, gateway) = start_gateway(&[Some(one.address), Some(two.address)]);

    let mut idle = Vec::new();
    for _ in 0..1000 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    wait_until("all have reached a replica", async || one.connections() + two.connections() == 1000).await;

    assert_eq!(name_of_next(address).await, "1");
    assert_eq!(ask_name(&mut idle[500]).await, "1");
    assert!(gateway.connections().open >= 1000);
    drop(idle);
    wait_until("the gateway has let them go", async || gateway.connections().open == 0).await;
}

#[tokio::test]
async fn without_a_replica_it_answers_503() {
    let dead = dead_replica();
    let (address, _gateway) = start_gateway(&[Some(dead.local_addr().unwrap()), None]);

    // The body is longer than what the gateway reads before it answers.
    let body = "x".repeat(100_000);
    let answer = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .post(format!("http://{address}/"))
        .body(body)
        .send()
        .await
        .unwrap();

    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(problem["status"], 503);
    assert_eq!(problem["detail"], "No replica is running");
}

#[tokio::test]
async fn a_client_that_has_finished_sending_still_gets_its_answer() {
    let one = Echo::start("1").await;
    let (address, _gateway) = start_gateway(&[Some(one.address)]);

    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(GET).await.unwrap();
    client.shutdown().await.unwrap();

    let mut answered = String::new();
    client.read_to_string(&mut answered).await.unwrap();
    assert_eq!(answered, answer("1"));
}

#[tokio::test]
async fn closed_it_refuses_new_connections_and_ends_the_open_ones() {
    let one = Echo::start("1").await;
    let (address, gateway) = start_gateway(&[Some(one.address)]);
    let mut client = TcpStream::connect(address).await.unwrap();
    assert_eq!(ask_name(&mut client).await, "1");

    gateway.close().await;

    assert!(TcpStream::connect(address).await.is_err());
    assert!(!matches!(client.read(&mut [0; 1]).await, Ok(1)));
}
