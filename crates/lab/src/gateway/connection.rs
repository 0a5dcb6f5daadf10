//! One connection: finds a replica that accepts it, then moves bytes both ways until both sides are done.

use std::net::SocketAddr;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Replicas;

const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// Small: a thousand idle connections hold two each.
const BUFFER_BYTES: usize = 8 * 1024;
/// How long a client is listened to that will be told that no replica runs.
const REFUSAL_LIMIT: Duration = Duration::from_secs(1);

const NO_REPLICA: &str = r#"{"title":"Service Unavailable","status":503,"detail":"No replica is running"}"#;

pub(super) async fn serve(mut client: TcpStream, turn: usize, replicas: &Replicas) {
    replicas.accepted.fetch_add(1, Ordering::Relaxed);
    let _open = Open::new(&replicas.open);
    match connect(turn, replicas).await {
        Some(mut replica) => {
            // Small answers leave at once, rather than wait for more bytes to fill a packet.
            let _ = client.set_nodelay(true);
            let _ = replica.set_nodelay(true);
            // An error here is a side that went away: the other one is told by closing.
            let _ =
                copy_bidirectional_with_sizes(&mut client, &mut replica, BUFFER_BYTES, BUFFER_BYTES).await;
        }
        None => refuse(client).await,
    }
}

/// The replica whose turn it is or, when it doesn't accept, the next one. Nothing has been sent by then, so
/// that no request can reach two replicas.
async fn connect(turn: usize, replicas: &Replicas) -> Option<TcpStream> {
    let count = replicas.addresses.len();
    for offset in 0..count {
        let slot = &replicas.addresses[turn.wrapping_add(offset) % count];
        let address: Option<SocketAddr> = *slot.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(address) = address else { continue };
        match timeout(CONNECT_LIMIT, TcpStream::connect(address)).await {
            Ok(Ok(replica)) => return Some(replica),
            Ok(Err(error)) => log::debug!("gateway: {address}: {error}"),
            Err(_) => log::debug!("gateway: {address}: no answer"),
        }
    }
    None
}

async fn refuse(mut client: TcpStream) {
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Type: application/problem+json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{NO_REPLICA}",
        NO_REPLICA.len()
    );
    let conversation = async {
        let mut request = [0; BUFFER_BYTES];
        let _ = client.read(&mut request).await;
        client.write_all(answer.as_bytes()).await?;
        client.shutdown().await?;
        // Closing with bytes unread would reset the connection, and the client might lose the answer.
        while client.read(&mut request).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = timeout(REFUSAL_LIMIT, conversation).await;
}

/// Counts a connection for as long as it lives, also when its task is aborted.
struct Open<'a>(&'a AtomicUsize);

impl<'a> Open<'a> {
    fn new(open: &'a AtomicUsize) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
