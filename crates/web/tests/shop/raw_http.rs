//! Requests as no client library would send them, byte by byte: to a replica, and through the lab's gateway.

mod bodies;
mod connections;
mod front_doors;
mod heads;
mod slow;
mod smuggling;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use flash_sale_gateway::{self as gateway, Gateway};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

use crate::Shop;

/// Above all limits of the shop's, with time for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A shop with a thousand books, and the two ways into it.
struct Doors {
    shop: Shop,
    book: Uuid,
    addresses: [SocketAddr; 2],
    _gateway: Gateway,
}

/// One of several answers on a connection.
#[derive(Debug)]
struct RawAnswer {
    status: u16,
    /// Its lines, in lower case.
    head: String,
    body: String,
}

impl Doors {
    async fn open() -> Self {
        let shop = Shop::open().await;
        shop.execute("UPDATE products SET quantity = 1000").await;
        let listener = gateway::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let replica = SocketAddr::from((Ipv4Addr::LOCALHOST, shop.replicas[0].port));
        let addresses = [replica, listener.local_addr().unwrap()];
        let gateway = Gateway::start(listener, 1).unwrap();
        gateway.set_replica(0, Some(replica));
        let book = shop.book().await;
        Self { shop, book, addresses, _gateway: gateway }
    }

    /// What both doors answer until they close the connection.
    async fn ask(&self, request: impl AsRef<[u8]>) -> [Vec<RawAnswer>; 2] {
        let request = request.as_ref();
        let (replica, gateway) =
            tokio::join!(talk(self.addresses[0], request), talk(self.addresses[1], request));
        [replica, gateway]
    }

    /// The statuses that both doors answer with: the same ones.
    async fn statuses(&self, request: impl AsRef<[u8]>) -> Vec<u16> {
        let request = request.as_ref();
        let [replica, gateway] = self.ask(request).await.map(|answers| statuses(&answers));
        assert_eq!(replica, gateway, "{}", shown(request));
        replica
    }

    /// The body of an order that would be carried out.
    fn order(&self) -> String {
        format!(r#"{{"product_id":"{}"}}"#, self.book)
    }
}

impl RawAnswer {
    #[track_caller]
    fn assert_problem(&self, status: u16, detail: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.head.contains("content-type: application/problem+json"), "{self:?}");
        assert!(self.body.contains(&format!(r#""detail":"{detail}""#)), "{self:?}");
    }
}

/// Sends all, and reads until the shop closes the connection.
async fn talk(address: SocketAddr, request: &[u8]) -> Vec<RawAnswer> {
    let mut connection = TcpStream::connect(address).await.unwrap();
    // The shop may close before it has read all.
    let _ = connection.write_all(request).await;
    read_to_end(&mut connection, request).await
}

async fn read_to_end(connection: &mut TcpStream, request: &[u8]) -> Vec<RawAnswer> {
    let mut bytes = Vec::new();
    // A reset is an end too: it comes when the shop closes before it has read all.
    let ended = timeout(PATIENCE, connection.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "open after {PATIENCE:?}: {}\n{}", shown(request), shown(&bytes));
    parse(&bytes)
}

/// Answers with a Content-Length each, one after the other; an interim one (100) has no body.
fn parse(mut bytes: &[u8]) -> Vec<RawAnswer> {
    let mut answers = Vec::new();
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        let body = &bytes[end + 4..][..length];
        answers.push(RawAnswer { status, head, body: String::from_utf8(body.to_vec()).unwrap() });
        bytes = &bytes[end + 4 + length..];
    }
    assert_eq!(shown(bytes), "", "behind the last answer");
    answers
}

fn statuses(answers: &[RawAnswer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

/// For a message, which need not hold all of it.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(500)]).escape_debug().to_string()
}

/// A request without a body, the last one of its connection.
fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
}

/// An order in this form: headers, then what follows them.
fn post(headers: &str, body: &str) -> String {
    format!("POST /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n{body}")
}

/// The same with its length, the last one of its connection.
fn post_sized(headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = post(&format!("Connection: close\r\nContent-Length: {}\r\n{headers}", body.len()), "");
    [head.as_bytes(), body].concat()
}

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// The status, and at most a word to whatever came behind it.
#[track_caller]
fn assert_last(answers: &[RawAnswer], status: u16) {
    assert_eq!(answers[0].status, status, "{answers:?}");
    assert!(answers[0].head.contains("connection: close"), "{answers:?}");
    for other in &answers[1..] {
        other.assert_problem(400, "The connection ended with the answer before");
    }
}
