//! A request whose client may leave in the middle. An HTTP library only closes the connection, and nobody knows when the
//! replica notices it. This client closes its own half, and then waits until the replica has closed the other half.

use std::time::Duration;

use anyhow::Context;
use reqwest::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// The replica drops the request of a client that has left within this time.
const NOTICED: Duration = Duration::from_secs(5);

/// A status and a body.
pub(crate) type RawAnswer = (u16, Vec<u8>);

/// Sends a request on a connection of its own. `None`: the client has left, or no answer came.
pub(crate) async fn send(request: Request, leave: oneshot::Receiver<()>) -> Option<RawAnswer> {
    let (mut from_replica, mut to_replica) = begin(&request).await.ok()?.into_split();
    let mut answer = Vec::new();
    let wants_to_leave = async {
        // Nobody can tell it to leave any more.
        if leave.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let has_left = tokio::select! {
        read = from_replica.read_to_end(&mut answer) => read.is_err(),
        () = wants_to_leave => {
            to_replica.shutdown().await.ok()?;
            let _ = timeout(NOTICED, from_replica.read_to_end(&mut answer)).await;
            true
        }
    };
    if has_left { None } else { parse(&answer) }
}

async fn begin(request: &Request) -> anyhow::Result<TcpStream> {
    let url = request.url();
    let host = url.host_str().context("a replica's URL has a host")?;
    let port = url.port_or_known_default().context("a replica's URL has a port")?;
    let body = request.body().and_then(|body| body.as_bytes()).unwrap_or_default();
    let mut text = format!("{} {} HTTP/1.1\r\nHost: {host}:{port}\r\n", request.method(), url.path());
    for (name, value) in request.headers() {
        text.push_str(&format!("{name}: {}\r\n", value.to_str()?));
    }
    text.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()));
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(text.as_bytes()).await?;
    stream.write_all(body).await?;
    Ok(stream)
}

/// The connection ends behind the answer, and so does the body.
fn parse(answer: &[u8]) -> Option<RawAnswer> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer[end + 4..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}";

        assert_eq!(parse(answer), Some((400, b"{}".to_vec())));
        assert_eq!(parse(b""), None);
    }
}
