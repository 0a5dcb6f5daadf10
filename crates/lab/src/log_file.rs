//! The files that child processes write their logs to.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// How much of a log's end is read to find its last lines.
const TAIL_BYTES: u64 = 16 * 1024;

/// Opens a log for appending, and makes it when it isn't there. Appending, so that the file may be
/// truncated while a process writes to it.
///
/// # Errors
/// When the file can't be made or written.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).read(true).open(path)
}

/// The last `lines` lines, or a note that there are none. For messages: it never fails.
pub fn tail(path: &Path, lines: usize) -> String {
    match File::open(path).and_then(read_end) {
        Ok(text) if !text.trim().is_empty() => last_lines(&text, lines),
        _ => format!("(nothing in {})", path.display()),
    }
}

fn read_end(mut file: File) -> io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last `lines` lines of `text`.
pub fn last_lines(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
