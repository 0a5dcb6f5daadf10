//! The thread that carries what passes the wire. Each message wakes one task, and the answer wakes it again. When
//! several threads share these tasks, they wake one another each time, and that takes longer than the reading.

use std::io;
use std::thread;

use tokio::runtime::{Builder, EnterGuard};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A thread with a runtime of its own. When this value is dropped, its tasks end.
pub(crate) struct Carrier {
    handle: tokio::runtime::Handle,
    _until: DropGuard,
}

impl Carrier {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system doesn't allow one more thread.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let until = CancellationToken::new();
        let end = until.clone();
        thread::Builder::new().name("wiretap".to_owned()).spawn(move || runtime.block_on(end.cancelled()))?;
        Ok(Self { handle, _until: until.drop_guard() })
    }

    /// What is opened and spawned while the guard lives belongs to the thread.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }
}
