//! A line to PostgreSQL. It can make PostgreSQL seem far away, and it can be held or cut at a chosen statement. It
//! never changes what passes it. Start with [`Line::to`].

mod address;
mod connection;
mod hold;
mod piece;
mod shared;

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use flash_sale_core::limits::ACQUIRE_TIMEOUT;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use address::{DatabaseAddress, address_of, lead_through};
use connection::Connection;
use shared::Shared;

use crate::recorder::Recorder;

pub use hold::{At, Hold, Which};

const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);

/// A port of 127.0.0.1 that leads to PostgreSQL. When this value is dropped, its connections end.
pub struct Line {
    shared: Arc<Shared>,
    closing: CancellationToken,
}

/// Whether there can be a line to the database of `url`.
///
/// # Errors
/// When there can't be one. The error says why.
pub fn can_lead_to(url: &str) -> anyhow::Result<()> {
    address_of(url).map(|_| ())
}

impl Line {
    /// Makes a line to the database of `url`, and returns it with the URL that leads through it. The line adds no
    /// delay until one is set.
    ///
    /// # Errors
    /// The same as those of [`can_lead_to`]. It is also an error when the machine has no port left.
    pub async fn to(url: &str) -> anyhow::Result<(Self, String)> {
        Self::open(url, None).await
    }

    /// As [`Line::to`]. Everything that passes is recorded as of the replica with this name.
    ///
    /// # Errors
    /// The same as those of [`Line::to`].
    pub(crate) async fn recorded(
        url: &str,
        recorder: Recorder,
        replica: &str,
    ) -> anyhow::Result<(Self, String)> {
        Self::open(url, Some((recorder, replica.into()))).await
    }

    async fn open(url: &str, recording: Option<(Recorder, Arc<str>)>) -> anyhow::Result<(Self, String)> {
        let database = address_of(url)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let through = lead_through(url, listener.local_addr()?)?;

        let shared = Arc::new(Shared::recording(recording));
        let closing = CancellationToken::new();
        tokio::spawn(accept(listener, database, Arc::clone(&shared), closing.clone()));
        Ok((Self { shared, closing }, through))
    }

    /// Whether PostgreSQL owes no answer, and the line holds nothing.
    pub fn is_quiet(&self) -> bool {
        self.shared.in_flight.load(Ordering::SeqCst) == 0
    }

    /// From now on, everything that is sent arrives later by this time, in each direction.
    pub fn set_delay(&self, delay: Duration) {
        let microseconds = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.shared.delay_us.store(microseconds, Ordering::Relaxed);
    }

    /// Holds a statement that comes after this call, or its answer. When there are two holds, the later one counts.
    pub fn hold(&self, which: Which, at: At) -> Hold {
        self.shared.holds.arm(which, at)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

async fn accept(
    listener: TcpListener,
    database: DatabaseAddress,
    shared: Arc<Shared>,
    closing: CancellationToken,
) {
    let mut connections = JoinSet::new();
    let serve = async {
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((client, _)) => {
                        connections.spawn(serve(client, database.clone(), Arc::clone(&shared)));
                    }
                    // This process has too many files open. That passes when a connection ends.
                    Err(_) => sleep(PAUSE_AFTER_FAILURE).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    };
    closing.run_until_cancelled(serve).await;
}

/// Resets the connection of the client when its database can't be reached.
async fn serve(client: TcpStream, database: DatabaseAddress, shared: Arc<Shared>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let connected = timeout(ACQUIRE_TIMEOUT, connect(&database)).await.map_err(io::Error::from).flatten();
    match connected {
        Ok(Server::Port(server)) => between(client, server, shared).await,
        Ok(Server::Socket(mut server)) => {
            let mut client = client;
            let is_broken = Connection::new(shared).carry(client.split(), server.split()).await;
            if is_broken { client.set_zero_linger() } else { Ok(()) }
        }
        Err(_) => client.set_zero_linger(),
    }
}

/// A reset of one side becomes a reset of the other one.
async fn between(mut client: TcpStream, mut server: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    if Connection::new(shared).carry(client.split(), server.split()).await {
        client.set_zero_linger()?;
        server.set_zero_linger()?;
    }
    Ok(())
}

enum Server {
    Port(TcpStream),
    Socket(UnixStream),
}

async fn connect(database: &DatabaseAddress) -> io::Result<Server> {
    Ok(match database {
        DatabaseAddress::Port(host, port) => {
            let server = TcpStream::connect((host.as_str(), *port)).await?;
            server.set_nodelay(true)?;
            Server::Port(server)
        }
        DatabaseAddress::Socket(path) => Server::Socket(UnixStream::connect(path).await?),
    })
}
