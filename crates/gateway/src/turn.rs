//! Keeps the turn: which replica gets the next connection, where the replicas are, and which of them answer.

use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The replicas, by their place in the turn.
pub(super) struct Turns(Vec<Mutex<TurnPlace>>);

#[derive(Clone, Default)]
struct TurnPlace {
    address: Option<SocketAddr>,
    is_frozen: bool,
    /// Cancelled when another process or none has this place. The clients that are connected then
    /// leave, between two requests.
    retired: CancellationToken,
}

impl Turns {
    pub(super) fn new(replicas: usize) -> Self {
        Self((0..replicas).map(|_| Mutex::default()).collect())
    }

    pub(super) fn set_address(&self, replica: usize, address: Option<SocketAddr>) {
        let new = TurnPlace { address, is_frozen: false, retired: CancellationToken::new() };
        std::mem::replace(&mut *self.place(replica), new).retired.cancel();
    }

    pub(super) fn set_frozen(&self, replica: usize, is_frozen: bool) {
        let mut place = self.place(replica);
        place.is_frozen = is_frozen;
        if is_frozen {
            std::mem::take(&mut place.retired).cancel();
        }
    }

    /// Connects to the replica whose turn it is. When that one doesn't accept, the next one is tried. Frozen
    /// replicas are tried last. They are better than none, because the kernel accepts for them. Nothing has been
    /// sent before a replica accepts, so no request can reach two replicas. Returns the connection, and the token
    /// that is cancelled when the replica loses its place in the turn.
    pub(super) async fn connect(
        &self,
        turn: usize,
        limit: Duration,
    ) -> Option<(TcpStream, CancellationToken)> {
        let count = self.0.len();
        let in_turn = (0..count).map(|offset| self.place(turn.wrapping_add(offset) % count).clone());
        let (frozen, answering): (Vec<TurnPlace>, Vec<TurnPlace>) =
            in_turn.partition(|place| place.is_frozen);
        for place in answering.into_iter().chain(frozen) {
            let Some(address) = place.address else { continue };
            match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(replica)) => return Some((replica, place.retired)),
                Ok(Err(error)) => log::debug!("gateway: {address}: {error}"),
                Err(_) => log::debug!("gateway: {address}: no answer"),
            }
        }
        None
    }

    fn place(&self, replica: usize) -> MutexGuard<'_, TurnPlace> {
        self.0[replica].lock()
    }
}
