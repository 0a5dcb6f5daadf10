//! The door of the shop: each new connection goes to the next replica in turn. It hands on bytes as they are, and
//! reads along to tell a client what became of its request when its replica is gone, and to limit the time that each
//! request takes to arrive. Start with [`Gateway::start`]; what happens on a connection is in `connection.rs`.

mod chunks;
mod connection;
mod conversation;
mod head;
pub mod limits;
mod own_answer;
mod place;
mod turn;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use flash_sale_testbed::open_files::{self, BESIDE_CONNECTIONS};
use limits::Limits;
use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use turn::Turns;

/// The kernel's queue for connections that we haven't accepted yet: a flash sale begins with thousands at
/// once, and the standard library's 128 makes the others wait a second and more.
const BACKLOG: i32 = 4096;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// For clients that keep a connection open that the replica has closed.
const LAST_BYTES_LIMIT: Duration = Duration::from_millis(500);

/// The listening socket of a gateway that hasn't started. Connections already wait in its queue.
///
/// # Errors
/// When the port is taken, or may not be used.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Otherwise the port is taken for a minute by the connections of the lab that ran before.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // All addresses are also those of IPv4, whatever the system's default is.
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// What a gateway has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Open now.
    pub open: usize,
    /// Accepted since the start.
    pub accepted: u64,
}

/// A running gateway.
pub struct Gateway {
    shared: Arc<Shared>,
    closed: CancellationToken,
    task: Mutex<Option<JoinHandle<JoinSet<()>>>>,
}

/// What the connections share.
struct Shared {
    turns: Turns,
    limits: Limits,
    open: AtomicUsize,
    accepted: AtomicU64,
}

impl Gateway {
    /// Accepts on `listener` for `replicas` replicas, none of which is there yet.
    ///
    /// # Errors
    /// When the socket can't be used.
    pub fn start(listener: TcpListener, replicas: usize) -> io::Result<Self> {
        Self::start_with(Limits::default(), listener, replicas)
    }

    /// As [`Gateway::start`], with other limits.
    ///
    /// # Errors
    /// As [`Gateway::start`].
    pub fn start_with(limits: Limits, listener: TcpListener, replicas: usize) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let shared = Arc::new(Shared {
            turns: Turns::new(replicas),
            limits,
            open: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
        });
        let closed = CancellationToken::new();
        let task = tokio::spawn(accept(listener, Arc::clone(&shared), closed.clone()));
        Ok(Self { shared, closed, task: Mutex::new(Some(task)) })
    }

    /// From now on, the turn of `replica` (from 0) goes to `address`; with `None` it is left out. Clients of the
    /// one that was there before get the answers that it owes them, and go to another one with their next request.
    pub fn set_replica(&self, replica: usize, address: Option<SocketAddr>) {
        self.shared.turns.set_address(replica, address);
    }

    /// A frozen replica is left out of the turn, unless all are frozen, until it answers again or its address
    /// changes. Its clients go to another one with their next request.
    pub fn set_frozen(&self, replica: usize, is_frozen: bool) {
        self.shared.turns.set_frozen(replica, is_frozen);
    }

    /// How many connections there are and were.
    pub fn connections(&self) -> ConnectionCounts {
        ConnectionCounts {
            open: self.shared.open.load(Ordering::Relaxed),
            accepted: self.shared.accepted.load(Ordering::Relaxed),
        }
    }

    /// Closes the door. Open connections go on until [`Gateway::close`].
    pub fn stop_accepting(&self) {
        self.closed.cancel();
    }

    /// Closes the door and all connections. Call it when the replicas have ended: their last bytes are still
    /// handed on.
    pub async fn close(&self) {
        self.stop_accepting();
        let task = self.task.lock().take();
        if let Some(task) = task
            && let Ok(mut connections) = task.await
        {
            let all_done = async { while connections.join_next().await.is_some() {} };
            let _ = timeout(LAST_BYTES_LIMIT, all_done).await;
            connections.shutdown().await;
        }
    }
}

/// How many connections a gateway of this process keeps open at once. Each has two files, ours to the client and ours
/// to the replica. Those beyond wait in the kernel's queue, which is better than to be accepted and dropped.
pub fn most_connections() -> usize {
    (open_files::allowed().saturating_sub(BESIDE_CONNECTIONS) / 2).max(1) as usize
}

async fn accept(
    listener: tokio::net::TcpListener,
    shared: Arc<Shared>,
    closed: CancellationToken,
) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    let slots = Arc::new(Semaphore::new(most_connections()));
    let mut turn = 0;
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore is never closed");
            listener.accept().await.map(|(client, _)| (client, slot))
        };
        tokio::select! {
            () = closed.cancelled() => return connections,
            accepted = next => match accepted {
                Ok((client, slot)) => {
                    // The turn is decided here, in the order of arrival. Decided in the connection's own
                    // task, two at once could get the same replica.
                    let (shared, closed) = (Arc::clone(&shared), closed.clone());
                    connections.spawn(async move {
                        shared.accepted.fetch_add(1, Ordering::Relaxed);
                        let _open = Open::new(&shared.open);
                        connection::serve(client, turn, &shared.turns, &shared.limits, &closed).await;
                        drop(slot);
                    });
                    turn = turn.wrapping_add(1);
                }
                Err(error) => {
                    log::warn!("gateway: can't accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
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
