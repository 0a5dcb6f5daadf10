//! A line to PostgreSQL. It can make PostgreSQL seem far away, and it can be held or cut at a chosen statement. It
//! never changes what passes it. Start with [`Line::to`].

mod address;
mod connection;
mod framing;
mod hold;
mod shared;

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use address::{DatabaseAddress, address_of, lead_through};
use connection::Connection;
use shared::Shared;

pub use hold::{At, Hold, Which};

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
        let database = address_of(url)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let through = lead_through(url, listener.local_addr()?)?;

        let shared = Arc::<Shared>::default();
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
                accepted = listener.accept() => {
                    let Ok((client, _)) = accepted else { continue };
                    connections.spawn(serve(client, database.clone(), Arc::clone(&shared)));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    };
    closing.run_until_cancelled(serve).await;
}

/// Closes the client when its database can't be reached, as a machine between them would.
async fn serve(client: TcpStream, database: DatabaseAddress, shared: Arc<Shared>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let connection = Connection::new(shared);
    match database {
        DatabaseAddress::Port(host, port) => {
            let server = TcpStream::connect((host, port)).await?;
            server.set_nodelay(true)?;
            connection.carry(client.into_split(), server.into_split()).await;
        }
        DatabaseAddress::Socket(path) => {
            let server = UnixStream::connect(path).await?;
            connection.carry(client.into_split(), server.into_split()).await;
        }
    }
    Ok(())
}
