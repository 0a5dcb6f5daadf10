//! Signals that ask a program to end.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Waits for Ctrl-C, or for whatever else ends programs: TERM, or a terminal that goes away.
///
/// # Errors
/// When the system lets nobody wait for them.
pub async fn end_signal() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}
