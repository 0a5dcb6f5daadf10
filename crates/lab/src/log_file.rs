//! The files that child processes write their logs to. A lock on such a file belongs to the open file, which a
//! process and its own children inherit as their standard error: so it is free when the last of them is gone,
//! however they ended.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::time::sleep;

/// How much of a log's end is read to find its last lines.
const TAIL_BYTES: u64 = 16 * 1024;
/// A little more than PostgreSQL may take to end.
const LOCK_LIMIT: Duration = Duration::from_secs(35);
const POLL: Duration = Duration::from_millis(10);

/// Opens a log for appending, and makes it when it isn't there. Appending, so that the file may be
/// truncated while a process writes to it.
///
/// # Errors
/// When the file can't be made or written.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).read(true).open(path)
}

/// Opens a log for nobody else, once the processes that write to it have ended.
///
/// # Errors
/// When they are still there after half a minute.
pub async fn lock(path: &Path) -> anyhow::Result<File> {
    let file = open(path).with_context(|| format!("can't open {}", path.display()))?;
    let deadline = Instant::now() + LOCK_LIMIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(POLL).await,
            Err(TryLockError::WouldBlock) => bail!("a process that runs still writes to {}", path.display()),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("can't lock {}", path.display()));
            }
        }
    }
}

/// The last `lines` lines, or a note that there are none. For messages: it never fails.
pub fn tail(path: &Path, lines: usize) -> String {
    tail_after(path, 0, lines)
}

/// As [`tail`], of what was written after the first `start` bytes.
pub fn tail_after(path: &Path, start: u64, lines: usize) -> String {
    match File::open(path).and_then(|file| read_end(file, start)) {
        Ok(text) if !text.trim().is_empty() => last_lines(&text, lines),
        _ => format!("(nothing in {})", path.display()),
    }
}

fn read_end(mut file: File, start: u64) -> io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES).max(start)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last `lines` lines of `text`.
pub fn last_lines(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
