//! The answers that the gateway gives itself, and how it closes a client's connection so that they arrive.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::limits::{BUFFER_BYTES, Limits};

/// What the gateway itself can tell a client. Each answer is the last one on its connection.
/// nginx/nginx.conf gives the same answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnAnswer {
    /// No replica accepts.
    NoReplica,
    /// The replica got the request and gave no answer.
    OutcomeUnknown,
    /// It isn't clear where the request ends.
    NoHttp,
    HeadTooSlow,
    HeadTooLong,
    /// The first line alone is too long.
    UrlTooLong,
}

impl OwnAnswer {
    /// A request that gets a 503 with `Retry-After` was not carried out and never will be. A request that
    /// gets a 503 without it may have been carried out.
    fn text(self) -> String {
        let (status, title, detail) = match self {
            Self::NoReplica => (503, "Service Unavailable", "No replica is running"),
            Self::OutcomeUnknown => (
                503,
                "Service Unavailable",
                "The answer was lost, so the outcome is unknown. If the request had an Idempotency-Key, send it again \
                 with the same key",
            ),
            Self::NoHttp => (400, "Bad Request", "This is not an HTTP request that can be passed on"),
            Self::HeadTooSlow => (408, "Request Timeout", "The request took too long to arrive"),
            Self::HeadTooLong => (
                431,
                "Request Header Fields Too Large",
                "The head of the request is longer than 32 KiB, or has too many fields",
            ),
            Self::UrlTooLong => (414, "URI Too Long", "The URL is too long"),
        };
        let retry = if self == Self::NoReplica { "Retry-After: 1\r\n" } else { "" };
        let outcome = if self == Self::OutcomeUnknown { r#","outcome":"unknown""# } else { "" };
        let body = format!(r#"{{"title":"{title}","status":{status},"detail":"{detail}"{outcome}}}"#);
        format!(
            "HTTP/1.1 {status} {title}\r\n{retry}Content-Type: application/problem+json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

/// Gives the client this answer, and closes.
pub(super) async fn tell(mut client: TcpStream, answer: OwnAnswer, limits: &Limits) {
    let written = timeout(limits.write, client.write_all(answer.text().as_bytes())).await;
    if matches!(written, Ok(Ok(()))) {
        take_leave(client, limits).await;
    }
}

/// Closes a connection on which the client may still be sending. The client must not lose its answer in a reset.
pub(super) async fn take_leave(mut client: TcpStream, limits: &Limits) {
    let leave = async {
        client.shutdown().await?;
        let mut ignored = [0; BUFFER_BYTES];
        while client.read(&mut ignored).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(limits.linger, leave).await;
}
