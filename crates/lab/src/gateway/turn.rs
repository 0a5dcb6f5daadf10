//! Whose turn it is: where the replicas are, and which of them answer.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

/// The replicas by their place in the turn.
pub(super) struct Turns(Vec<Mutex<Place>>);

#[derive(Clone, Copy, Default)]
struct Place {
    address: Option<SocketAddr>,
    is_frozen: bool,
}

impl Turns {
    pub(super) fn new(replicas: usize) -> Self {
        Self((0..replicas).map(|_| Mutex::default()).collect())
    }

    pub(super) fn set_address(&self, replica: usize, address: Option<SocketAddr>) {
        *self.place(replica) = Place { address, is_frozen: false };
    }

    pub(super) fn set_frozen(&self, replica: usize, is_frozen: bool) {
        self.place(replica).is_frozen = is_frozen;
    }

    /// A connection to the replica whose turn it is or, when it doesn't accept, to the next one. Frozen ones come
    /// last: the kernel accepts for them, and who else is there may still be worse. Nothing has been sent by then,
    /// so that no request can reach two replicas.
    pub(super) async fn connect(&self, turn: usize, limit: Duration) -> Option<TcpStream> {
        let count = self.0.len();
        let in_turn = (0..count).map(|offset| *self.place(turn.wrapping_add(offset) % count));
        let (frozen, answering): (Vec<Place>, Vec<Place>) = in_turn.partition(|place| place.is_frozen);
        for address in answering.into_iter().chain(frozen).filter_map(|place| place.address) {
            match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(replica)) => return Some(replica),
                Ok(Err(error)) => log::debug!("gateway: {address}: {error}"),
                Err(_) => log::debug!("gateway: {address}: no answer"),
            }
        }
        None
    }

    fn place(&self, replica: usize) -> MutexGuard<'_, Place> {
        self.0[replica].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
