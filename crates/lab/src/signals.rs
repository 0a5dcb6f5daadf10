//! Signals that ask a program to end.

use std::fs;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end a program unless it listens: Ctrl-C, Ctrl-\\, `kill`, and a terminal that is closed. A
/// program that has something to put in order listens to all of them.
pub struct EndSignals {
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
    /// `None` when this signal does not end this program.
    hangup: Option<Signal>,
}

impl EndSignals {
    /// Begins to listen. From now on, none of these signals ends the program by itself.
    ///
    /// # Errors
    /// When the system doesn't allow it.
    pub fn listen() -> io::Result<Self> {
        let hangup = SignalKind::hangup();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if is_ignored(hangup) { None } else { Some(signal(hangup)?) },
        })
    }

    /// Waits for the next signal, and returns it. A signal that came since [`EndSignals::listen`] is never lost.
    pub async fn next(&mut self) -> SignalKind {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.quit.recv() => SignalKind::quit(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = hangup => SignalKind::hangup(),
        }
    }
}

/// Waits for the first of these signals.
///
/// # Errors
/// When the system doesn't allow it, as in [`EndSignals::listen`].
pub async fn end_signal() -> io::Result<()> {
    EndSignals::listen()?.next().await;
    Ok(())
}

/// Whether the program that started us wants us to ignore the signal, as `nohup` does with HUP. Where there is no
/// /proc (macOS), this is not known, and the answer is no.
pub fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
