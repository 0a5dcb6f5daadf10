//! Asks a server on this machine whether it is well. It is asked often: all replicas of a running shop four times a second.
//! So this is hyper alone, which costs a fraction of what a full HTTP client costs.

use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(2);

/// Whether GET `url` answers 200 within two seconds.
pub async fn answers_ok(url: &str) -> bool {
    answers_ok_within(LIMIT, url).await
}

/// Whether GET `url` answers 200 within this time. Each question gets a new connection: so it also shows whether the
/// server accepts connections.
pub async fn answers_ok_within(limit: Duration, url: &str) -> bool {
    matches!(timeout(limit, ask(url)).await, Ok(Ok(StatusCode::OK)))
}

async fn ask(url: &str) -> anyhow::Result<StatusCode> {
    let url: Uri = url.parse()?;
    let server = url.authority().context("no server")?.as_str();
    let stream = TcpStream::connect(server).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let request = Request::get(url.path()).header(HOST, server).body(String::new())?;
    let mut answer = pin!(sender.send_request(request));
    // A server may end the connection right after its answer.
    let answer = tokio::select! {
        answer = &mut answer => answer,
        _ = connection => answer.await,
    };
    Ok(answer?.status())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// What is found when the server answers this to the first request and then ends the connection.
    async fn found(answer: &str) -> bool {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/health", listener.local_addr().unwrap());
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1:"));
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        tokio::join!(answers_ok(&url), serve).0
    }

    #[tokio::test]
    async fn only_the_answer_200_is_well() {
        assert!(found("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await);
        for answer in
            ["HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 200", "", "SSH"]
        {
            assert!(!found(answer).await, "{answer}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_silent_or_gone_is_not_well() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/health", listener.local_addr().unwrap());
        assert!(!answers_ok_within(Duration::from_millis(20), &url).await);
        drop(listener);
        assert!(!answers_ok(&url).await);
        assert!(!answers_ok("nowhere").await);
    }
}
