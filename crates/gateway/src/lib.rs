//! The gateway of the shop: it gives each new connection to the next replica in turn, and hands bytes on as they are. It
//! also reads along, to tell a client what became of its request when its replica is gone, and to limit the time that
//! each request takes to arrive. Start with [`Gateway::start`]; `connection.rs` has what happens on one connection.

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

use limits::Limits;
use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use turn::Turns;

/// How many connections can wait in the kernel's queue until we accept them. A flash sale begins with thousands of
/// connections at once. With the standard library's 128, the others wait a second and more.
const BACKLOG: i32 = 4096;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a closing gateway waits for clients that keep a connection open although the replica has closed it.
const LAST_BYTES_LIMIT: Duration = Duration::from_millis(500);

/// The listening socket of a gateway that hasn't started. Connections already wait in its queue.
///
/// # Errors
/// When the port is taken, or may not be used.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Without this, connections of the lab that ran before would keep the port taken for a minute.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // The address of all interfaces includes those of IPv4, whatever the system's default is.
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
    /// Connections that are open now.
    pub open: usize,
    /// Connections that were accepted since the start.
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
    /// Starts a gateway that accepts on `listener`, for `replicas` replicas. None of them is there yet.
    ///
    /// # Errors
    /// When the socket can't be used.
    pub fn start(listener: TcpListener, replicas: usize) -> io::Result<Self> {
        Self::start_with(Limits::default(), listener, replicas)
    }

    /// Does the same as [`Gateway::start`], with other limits.
    ///
    /// # Errors
    /// The same as those of [`Gateway::start`].
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

    /// From now on, the turn of `replica` (from 0) goes to `address`. With `None`, the replica is left out of the
    /// turn. Clients of the replica that was there before get the answers that it owes them. Their next request goes
    /// to another replica.
    pub fn set_replica(&self, replica: usize, address: Option<SocketAddr>) {
        self.shared.turns.set_address(replica, address);
    }

    /// Leaves a frozen replica out of the turn, until it answers again or its address changes. When all are frozen,
    /// none is left out. Clients of a frozen replica go to another one with their next request.
    pub fn set_frozen(&self, replica: usize, is_frozen: bool) {
        self.shared.turns.set_frozen(replica, is_frozen);
    }

    /// How many connections can be open at once.
    pub fn most_connections(&self) -> usize {
        self.shared.limits.connections
    }

    /// How many connections are open, and how many were accepted.
    pub fn connections(&self) -> ConnectionCounts {
        ConnectionCounts {
            open: self.shared.open.load(Ordering::Relaxed),
            accepted: self.shared.accepted.load(Ordering::Relaxed),
        }
    }

    /// Closes the port: no new connection is accepted. Open connections go on until [`Gateway::close`].
    pub fn stop_accepting(&self) {
        self.closed.cancel();
    }

    /// Closes the port and all connections. Call it after the replicas have ended. The gateway still hands
    /// on their last bytes.
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

async fn accept(
    listener: tokio::net::TcpListener,
    shared: Arc<Shared>,
    closed: CancellationToken,
) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    let slots = Arc::new(Semaphore::new(shared.limits.connections));
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
                    // The turn is decided here, in the order of arrival. If each connection's own task decided, two
                    // at once could get the same replica.
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

/// Counts a connection for as long as it lives. The count goes down also when the connection's task is aborted.
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
