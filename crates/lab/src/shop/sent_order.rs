//! A purchase whose connection is in the buyer's hand: the buyer can close it at any moment, also before the answer.

use std::io::{self, ErrorKind};
use std::time::Instant;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::Shop;
use super::client::answer::Answer;

/// More than an answer of the shop has.
const MOST_HEADERS: usize = 64;

/// A purchase whose whole request was sent. Its connection is closed when this value is dropped.
pub struct SentOrder {
    connection: TcpStream,
    sent: Instant,
}

impl Shop {
    /// As [`Shop::order`], but doesn't wait for the answer. The connection is for this purchase alone.
    ///
    /// # Errors
    /// When the request can't be sent.
    pub async fn send_order(&self, body: &Value, key: Option<&str>) -> io::Result<SentOrder> {
        let body = body.to_string();
        let key = key.map(|key| format!("Idempotency-Key: \"{key}\"\r\n")).unwrap_or_default();
        let host = self.url.trim_start_matches("http://");
        let length = body.len();
        let request = format!(
            "POST /api/orders HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{key}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let mut connection = TcpStream::connect(self.address).await?;
        connection.set_nodelay(true)?;
        connection.write_all(request.as_bytes()).await?;
        Ok(SentOrder { connection, sent: Instant::now() })
    }
}

impl SentOrder {
    /// Waits for the answer.
    ///
    /// # Errors
    /// When the connection ends without one.
    pub async fn answer(&mut self) -> io::Result<Answer> {
        let mut bytes = Vec::new();
        self.connection.read_to_end(&mut bytes).await?;
        self.read(&bytes).ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    fn read(&self, bytes: &[u8]) -> Option<Answer> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = head.parse(bytes).ok()? else { return None };
        let header = |name: &str| {
            let header = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok()
        };
        let (status, body) = (head.code?, &bytes[length..]);
        let is_whole = header("Content-Length")?.parse() == Ok(body.len());
        is_whole.then(|| Answer::new(status, header, body, self.sent.elapsed()))
    }
}
