//! Whoever leaves and whatever breaks, at any step of any way to sell: nothing is lost. `steps` stops a purchase at
//! each of its statements, `leaving` has clients leave at every moment, on a database that is far away.

mod leaving;
mod ledger;
mod steps;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::Shop;
use crate::strategies::THAT_DO_NOT_OVERSELL;

/// A way to sell.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// `None` is the exercise, as the tree has it.
    strategy: Option<&'static str>,
    has_key: bool,
}

/// What a buyer was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Sold(Uuid),
    /// That nobody knows whether it was sold.
    Unknown,
    /// Another status: not carried out.
    Refused(u16),
    Nothing,
}

/// The kinds of [`Told`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sold,
    Unknown,
    Refused,
    Nothing,
}

impl Way {
    /// All of them, with a key and without. But for `reservation`: its purchase is two transactions, and what it leaves
    /// behind comes back later. `strategies::reservation` has tests of its own.
    fn all() -> impl Iterator<Item = Self> {
        let strategies = ["unlocked"].into_iter().chain(THAT_DO_NOT_OVERSELL).map(Some);
        let strategies = strategies.filter(|strategy| *strategy != Some("reservation"));
        let strategies = [None].into_iter().chain(strategies);
        strategies.flat_map(|strategy| [false, true].map(|has_key| Self { strategy, has_key }))
    }

    /// A few of them: the exercise, a single statement, a queue; with a key and without.
    fn sample() -> impl Iterator<Item = Self> {
        let sample =
            [(None, false), (None, true), (Some("single_statement"), false), (Some("batched"), true)];
        sample.into_iter().map(|(strategy, has_key)| Self { strategy, has_key })
    }

    fn new_key(self) -> Option<Uuid> {
        self.has_key.then(Uuid::new_v4)
    }
}

impl Shop {
    /// A product with `stock` copies that can be sold so.
    async fn product_for_way(&self, way: Way, stock: i32) -> Uuid {
        self.product_for(way.strategy.unwrap_or("exercise"), stock).await
    }

    /// Has a client send a purchase. It leaves when the connection is dropped.
    async fn send_purchase(&self, way: Way, product: Uuid, key: Option<Uuid>) -> TcpStream {
        let body = json!({ "product_id": product, "strategy": way.strategy }).to_string();
        let key = key.map(|key| format!("Idempotency-Key: {key}\r\n")).unwrap_or_default();
        self.send(&format!("POST /api/orders HTTP/1.1\r\n{key}"), &body).await
    }

    /// Has a client send a request whose head begins so.
    async fn send(&self, head: &str, body: &str) -> TcpStream {
        let mut client = TcpStream::connect(("127.0.0.1", self.replicas[0].port)).await.unwrap();
        let rest = format!("Host: 127.0.0.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        client.write_all(format!("{head}{rest}{body}").as_bytes()).await.unwrap();
        client
    }

    async fn buy(&self, way: Way, product: Uuid, key: Option<Uuid>) -> Told {
        Told::read(self.send_purchase(way, product, key).await).await
    }
}

impl Told {
    /// Waits for the answer.
    async fn read(mut client: TcpStream) -> Self {
        let mut answer = Vec::new();
        // A replica that was killed resets the connection.
        let _ = client.read_to_end(&mut answer).await;
        Self::parse(&String::from_utf8(answer).unwrap())
    }

    fn kind(self) -> Kind {
        match self {
            Self::Sold(_) => Kind::Sold,
            Self::Unknown => Kind::Unknown,
            Self::Refused(_) => Kind::Refused,
            Self::Nothing => Kind::Nothing,
        }
    }

    fn order(self) -> Option<Uuid> {
        if let Self::Sold(order) = self { Some(order) } else { None }
    }

    fn parse(answer: &str) -> Self {
        let Some(status) = answer.split(' ').nth(1) else { return Self::Nothing };
        let Some((_, body)) = answer.split_once("\r\n\r\n") else { return Self::Nothing };
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        match status {
            "200" => Self::Sold(body["id"].as_str().unwrap().parse().unwrap()),
            _ if body["outcome"] == "unknown" => Self::Unknown,
            status => Self::Refused(status.parse().unwrap()),
        }
    }
}
