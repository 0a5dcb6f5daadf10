//! Whose turn it is: where the replicas are, and which of them answer.

use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The replicas by their place in the turn.
pub(super) struct Turns(Vec<Mutex<TurnPlace>>);

#[derive(Clone, Default)]
struct TurnPlace {
    address: Option<SocketAddr>,
    is_frozen: bool,
    /// Cancelled when another process has this place, or none: who is connected leaves between two requests.
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

    /// A connection to the replica whose turn it is or, when it doesn't accept, to the next one. Frozen ones come
    /// last: better than nobody, for the kernel accepts for them. Nothing has been sent by then, so that no request
    /// can reach two replicas. Beside it, the token that is cancelled when its place in the turn is taken away.
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
