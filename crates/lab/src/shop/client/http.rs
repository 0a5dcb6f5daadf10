//! How a request to the shop is sent, and how its answer is read.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use tokio::net::TcpStream;

use super::answer::Answer;

/// Longer than any answer of the shop may take: its own limits are shorter.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// Far more than a thousand orders need. If a body is longer, nothing of it is kept: it may have no end.
const LONGEST_BODY: usize = 4 * 1024 * 1024;

/// Finds the address that listens: a name may stand for several addresses, and some may have no listener.
pub(super) async fn find_listener(host: &str, port: u16) -> anyhow::Result<SocketAddr> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let connection = TcpStream::connect((host, port)).await;
    let connection = connection.with_context(|| format!("no shop answers at {host}:{port}"))?;
    Ok(connection.peer_addr()?)
}

pub(super) fn client(host: &str, address: SocketAddr, idle_connections: usize) -> reqwest::Result<Client> {
    Client::builder()
        .pool_max_idle_per_host(idle_connections)
        .no_proxy()
        // The name is looked up once: hundreds of buyers at once would wait for each other's lookups.
        .resolve(host, address)
        .redirect(Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .timeout(ANSWER_LIMIT)
        .build()
}

pub(super) async fn send(request: RequestBuilder) -> reqwest::Result<Answer> {
    let sent = Instant::now();
    let mut response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        body.extend_from_slice(&piece);
        if body.len() > LONGEST_BODY {
            body.clear();
            break;
        }
    }
    let header = |name: &str| headers.get(name)?.to_str().ok();
    Ok(Answer::new(status, header, &body, sent.elapsed()))
}

/// Why there is no answer, in a few words: requests that failed in the same way get the same words.
pub fn why_silent(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        format!("no answer within {} s", ANSWER_LIMIT.as_secs())
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        "no answer: the connection broke".to_owned()
    }
}
