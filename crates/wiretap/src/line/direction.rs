//! One direction of a connection: hands bytes to their receiver, in order, each when its time has come.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep_until};

/// So many parcels at most are under way. Then the sender waits.
const UNDER_WAY: usize = 256;

/// One direction of a connection.
pub(super) struct Direction<W> {
    receiver: Mutex<W>,
    parcels: mpsc::Sender<Parcel>,
    /// How many parcels are still to be delivered.
    under_way: AtomicUsize,
}

/// What [`Direction::deliver`] takes the parcels from.
pub(super) type Parcels = mpsc::Receiver<Parcel>;

/// What is under way.
pub(super) enum Parcel {
    /// Bytes, and when they arrive.
    Bytes(Instant, Vec<u8>),
    /// There is no more.
    End,
}

/// The connection has ended.
pub(super) struct Gone;

impl<W: AsyncWrite + Unpin> Direction<W> {
    pub(super) fn to(receiver: W) -> (Self, Parcels) {
        let (parcels, to_deliver) = mpsc::channel(UNDER_WAY);
        (Self { receiver: Mutex::new(receiver), parcels, under_way: AtomicUsize::new(0) }, to_deliver)
    }

    /// Sends bytes that arrive after this time. When nothing is under way before them and they take no time, they are
    /// handed over at once: a parcel would cost another round through the scheduler.
    pub(super) async fn send(&self, bytes: &[u8], delay: Duration) -> Result<(), Gone> {
        if delay.is_zero() && self.under_way.load(Ordering::Relaxed) == 0 {
            return self.receiver.lock().await.write_all(bytes).await.map_err(|_| Gone);
        }
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let parcel = Parcel::Bytes(Instant::now() + delay, bytes.to_vec());
        self.parcels.send(parcel).await.map_err(|_| Gone)
    }

    /// Nothing more will be sent.
    pub(super) async fn end(&self) {
        // When nobody delivers any more, the receiver is gone.
        let _ = self.parcels.send(Parcel::End).await;
    }

    /// Delivers each parcel when its time has come. At the end, it tells the receiver that there is no more.
    pub(super) async fn deliver(&self, mut parcels: Parcels) {
        while let Some(Parcel::Bytes(arrives, bytes)) = parcels.recv().await {
            // A sleep that is over already would still take up to a millisecond.
            if arrives > Instant::now() {
                sleep_until(arrives).await;
            }
            if self.receiver.lock().await.write_all(&bytes).await.is_err() {
                return;
            }
            self.under_way.fetch_sub(1, Ordering::Relaxed);
        }
        let _ = self.receiver.lock().await.shutdown().await;
    }
}
