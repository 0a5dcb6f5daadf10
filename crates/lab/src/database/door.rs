//! A port of 127.0.0.1 through which a person's own programs reach the private PostgreSQL. PostgreSQL itself listens
//! where no other user can reach it.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::copy;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// How many connections there may be at once; one more is closed. Any user of this machine may take them all. Then
/// other programs are kept out, but the shop still has all the connections that it needs.
pub(super) const MOST_CONNECTIONS: u32 = 10;

const PAUSE: Duration = Duration::from_millis(100);

/// An open port. It closes when this value is dropped, and so do its connections.
pub(super) struct Door {
    port: u16,
    serving: JoinHandle<()>,
}

impl Door {
    /// Opens a port that leads to this socket. It may be any free port.
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
                // The process can't open more files just now. It can as soon as others are closed.
                Err(_) => sleep(PAUSE).await,
            },
        }
    }
}

/// Carries bytes in both directions, and ends when one side does. PostgreSQL closes the connection of a client that
/// sends no password in time, and the client may stay.
async fn carry(client: TcpStream, socket: PathBuf) -> io::Result<u64> {
    client.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = UnixStream::connect(socket).await?.into_split();
    tokio::select! {
        ended = copy(&mut from_client, &mut to_server) => ended,
        ended = copy(&mut from_server, &mut to_client) => ended,
    }
}
