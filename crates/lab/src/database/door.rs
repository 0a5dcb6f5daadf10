//! A port of 127.0.0.1 for a person's own programs. The private PostgreSQL itself listens where nobody else gets.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::copy;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// Connections at once; one more is closed. Any user of this machine may take them all. That keeps other programs out,
/// and leaves the shop all it needs.
pub(super) const MOST_CONNECTIONS: u32 = 10;

const PAUSE: Duration = Duration::from_millis(100);

/// It is closed with this value, and so are its connections.
pub(super) struct Door {
    port: u16,
    serving: JoinHandle<()>,
}

impl Door {
    /// Opens one to this socket, on any free port.
    ///
    /// # Errors
    /// When the machine has no port left.
    pub(super) async fn open(socket: PathBuf) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { port, serving: tokio::spawn(serve(listener, socket)) })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, socket: PathBuf) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((client, _)) if connections.len() < MOST_CONNECTIONS as usize => {
                    connections.spawn(carry(client, socket.clone()));
                }
                Ok(_) => {}
                // No file is left to be opened: some will be.
                Err(_) => sleep(PAUSE).await,
            },
        }
    }
}

/// Ends when one side does: PostgreSQL closes on whoever says no password in time, and that one may stay.
async fn carry(client: TcpStream, socket: PathBuf) -> io::Result<u64> {
    client.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = UnixStream::connect(socket).await?.into_split();
    tokio::select! {
        ended = copy(&mut from_client, &mut to_server) => ended,
        ended = copy(&mut from_server, &mut to_client) => ended,
    }
}
