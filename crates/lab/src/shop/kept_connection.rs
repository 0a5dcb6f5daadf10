//! One kept connection to the shop, in plain HTTP. It costs a fraction of what a full HTTP client costs, so that a
//! benchmark measures the shop and not its own client.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

use super::client::answer::Answer;

/// More than an answer of the shop has.
const MOST_HEADERS: usize = 64;
/// Longer than any answer of the shop may take: its own limits are shorter.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
const PIECE_BYTES: usize = 4096;

/// A request to buy one copy, as it is sent.
pub struct BuyBytes(Vec<u8>);

impl BuyBytes {
    /// A purchase of this product by `strategy`, or by the exercise when there is none.
    pub fn new(host: SocketAddr, product: Uuid, strategy: Option<&str>) -> Self {
        let strategy = strategy.map(|name| format!(r#","strategy":"{name}""#)).unwrap_or_default();
        let body = format!(r#"{{"product_id":"{product}"{strategy}}}"#);
        let length = body.len();
        Self(
            format!(
                "POST /api/orders HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: \
                 {length}\r\n\r\n{body}"
            )
            .into_bytes(),
        )
    }
}

/// A connection that is kept from request to request. After an error it is opened again with the next request.
pub struct KeptConnection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    read: Vec<u8>,
}

impl KeptConnection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody accepts.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = Some(connect(address).await?);
        Ok(Self { address, stream, read: Vec::with_capacity(PIECE_BYTES) })
    }

    /// Sends the request and waits for the whole answer.
    ///
    /// # Errors
    /// When no answer comes, or something that is no answer.
    pub async fn ask(&mut self, request: &BuyBytes) -> io::Result<Answer> {
        // If this is dropped or fails, an answer may still come: nobody must take it for the next one.
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address).await?,
        };
        let answer = timeout(ANSWER_LIMIT, exchange(&mut stream, request, &mut self.read)).await??;
        self.stream = Some(stream);
        Ok(answer)
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn exchange(stream: &mut TcpStream, request: &BuyBytes, read: &mut Vec<u8>) -> io::Result<Answer> {
    let sent = Instant::now();
    read.clear();
    stream.write_all(&request.0).await?;
    loop {
        if stream.read_buf(read).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if let Some(answer) = parse(read, sent)? {
            return Ok(answer);
        }
    }
}

/// The answer, or `None` as long as a part of it is missing.
fn parse(bytes: &[u8], sent: Instant) -> io::Result<Option<Answer>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let parsed = head.parse(bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
    let httparse::Status::Complete(head_length) = parsed else { return Ok(None) };
    let header = |name: &str| {
        let header = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    };
    let length = header("Content-Length").and_then(|length| length.parse().ok());
    let length: usize = length.ok_or_else(|| io::Error::from(ErrorKind::InvalidData))?;
    let body = &bytes[head_length..];
    if body.len() < length {
        return Ok(None);
    }
    let status = head.code.unwrap_or_default();
    Ok(Some(Answer::new(status, header, &body[..length], sent.elapsed())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole_wherever_it_is_cut() {
        let whole = b"HTTP/1.1 409 Conflict\r\ncontent-length: 2\r\nRetry-After: 1\r\n\r\n{}";
        let parse = |bytes: &[u8]| parse(bytes, Instant::now()).unwrap();

        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_none(), "{length}");
        }
        let answer = parse(whole).unwrap();
        assert_eq!((answer.status, answer.asks_to_retry), (409, true));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for bytes in ["SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
            assert!(parse(bytes.as_bytes(), Instant::now()).is_err(), "{bytes}");
        }
    }
}
