//! A line to PostgreSQL. It can make PostgreSQL seem far away, it can be held or cut at a chosen statement or
//! at every one, and it can lose answers to COMMIT. It never changes what passes it. Start with [`Line::to`].

mod address;
mod connection;
mod direction;
mod heard;
mod hold;
mod loss;
mod owed;
mod piece;
mod shared;
mod stream;
mod turnstile;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use flash_sale_core::limits::ACQUIRE_TIMEOUT;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use address::{DatabaseAddress, LineAddress, address_of, lead_through};
use connection::Connection;
use shared::Shared;
use stream::{Listener, Stream};

use crate::recorder::Recorder;

pub use hold::{At, Hold, Which};
pub use loss::AnswerLoss;
pub use turnstile::{AnsweredStatement, Passage, Turnstile, WaitingStatement};

/// Any free port of 127.0.0.1.
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);

/// A port of 127.0.0.1, or a Unix socket, that leads to PostgreSQL. When this value is dropped, its connections end.
pub struct Line {
    shared: Arc<Shared>,
    closing: CancellationToken,
}

/// What records a line, and where the line listens.
pub(crate) struct Tap<'a> {
    pub(crate) recorder: Recorder,
    pub(crate) replica: &'a str,
    pub(crate) at: ListenAt<'a>,
}

/// Where a line listens.
#[derive(Clone, Copy)]
pub(crate) enum ListenAt<'a> {
    Port(SocketAddr),
    /// On a socket in this folder, with this number in its name.
    Folder(&'a Path, u16),
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
    pub fn to(url: &str) -> anyhow::Result<(Self, String)> {
        let database = address_of(url)?;
        Self::open(url, database, Listener::on_port(ANY_PORT)?, Shared::default())
    }

    /// As [`Line::to`]. Everything that passes is recorded as of this replica.
    pub(crate) fn recorded(url: &str, tap: Tap<'_>) -> anyhow::Result<(Self, String)> {
        let database = address_of(url)?;
        let listener = match tap.at {
            ListenAt::Folder(folder, number) => Listener::in_folder(folder, number)
                .with_context(|| format!("no socket can be made in {}", folder.display()))?,
            ListenAt::Port(address) => {
                Listener::on_port(address).with_context(|| format!("can't listen on {address}"))?
            }
        };
        let shared = Shared::recording(tap.recorder, tap.replica.into());
        Self::open(url, database, listener, shared)
    }

    fn open(
        url: &str,
        database: DatabaseAddress,
        (listener, address): (Listener, LineAddress),
        shared: Shared,
    ) -> anyhow::Result<(Self, String)> {
        let through = lead_through(url, &address)?;
        let (shared, closing) = (Arc::new(shared), CancellationToken::new());
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

    /// The turnstile at which every statement of this line can be held. It is open until it is closed.
    pub fn turnstile(&self) -> Turnstile {
        self.shared.turnstile.clone()
    }

    /// From now on, of so many purchases that PostgreSQL commits, one loses its answer: the connection is cut on both
    /// sides instead. What PostgreSQL has answered at the same moment to other statements of the connection is lost
    /// too. A purchase is a transaction that inserts into the table of the orders. When there are two losses, the later
    /// one counts, and both end with the first end.
    pub fn lose_commit_answers(&self, one_in: NonZeroUsize) -> AnswerLoss {
        self.shared.losses.begin(one_in)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

async fn accept(
    listener: Listener,
    database: DatabaseAddress,
    shared: Arc<Shared>,
    closing: CancellationToken,
) {
    let mut connections = JoinSet::new();
    let serve = async {
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok(client) => {
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

/// A reset of the client becomes a reset of the connection to PostgreSQL. The client's connection is reset when its
/// database can't be reached.
async fn serve(mut client: Stream, database: DatabaseAddress, shared: Arc<Shared>) {
    match timeout(ACQUIRE_TIMEOUT, Stream::connect(&database)).await {
        Ok(Ok(mut server)) => {
            if Connection::new(shared).carry(client.split(), server.split()).await {
                client.will_reset();
                server.will_reset();
            }
        }
        _ => client.will_reset(),
    }
}
