//! The files that child processes write their logs to. A lock on such a file belongs to the open file. A process and
//! its own children inherit the open file as their standard error. So the lock is free when the last of them is
//! gone, however they ended.
//!
//! A log doesn't grow without end. A long one is copied into a file beside it, which replaces the copy before, and
//! is then emptied ([`put_aside_if_long`]). The processes that write to it needn't know, because they all append.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::time::sleep;

use crate::lock_holder;
use crate::own_files::{self, open_to_append, open_to_read};

/// How much of a log's end is read to find its last lines.
const TAIL_BYTES: u64 = 16 * 1024;
/// It is a little longer than PostgreSQL may take to end.
const LOCK_LIMIT: Duration = Duration::from_secs(35);
const POLL: Duration = Duration::from_millis(10);

/// A log that is longer is put aside. This is some 50,000 requests. A log takes a little more than twice as much:
/// there is its copy, and what is written until the next look.
pub const LONGEST: u64 = 8 * 1024 * 1024;
/// The time between two looks at how long the logs are. A replica writes a few MB in this time at most.
pub const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// A copy ends here, also when the log is written to as fast as it is read.
const LONGEST_COPY: u64 = 4 * LONGEST;
const PIECE_BYTES: usize = 64 * 1024;

/// Where the older part of a log is: `replica-1.log.1`.
pub fn aside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".1");
    PathBuf::from(name)
}

/// Whether this file is a log. The older part of a log is none.
pub fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

/// Whether a log is long and has to be put aside. A log that isn't there is not long.
pub fn is_long(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.len() > LONGEST)
}

/// Copies a long log to `aside`, which nobody else may read, and empties the log. Returns whether it did that. What
/// is written between the end of the copy and the emptying is lost: a line or two, if any.
///
/// # Errors
/// When the log can't be copied or emptied. On a full disk, it is emptied without a copy, because room is needed then.
pub fn put_aside_if_long(log: &File, aside: &Path) -> io::Result<bool> {
    if log.metadata()?.len() <= LONGEST {
        return Ok(false);
    }
    let copied = copy(log, aside);
    log.set_len(0)?;
    copied.map(|()| true)
}

fn copy(log: &File, aside: &Path) -> io::Result<()> {
    let (Some(folder), Some(name)) = (aside.parent(), aside.file_name().and_then(|name| name.to_str()))
    else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    let mut file = own_files::create(folder, name, None)?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut position = 0;
    while position < LONGEST_COPY {
        let read = log.read_at(&mut piece, position)?;
        if read == 0 {
            break;
        }
        file.write_all(&piece[..read])?;
        position += read as u64;
    }
    Ok(())
}

/// Opens the whole log, from the oldest line on, with the part that was put aside.
///
/// # Errors
/// When the log isn't there.
pub fn open_all(path: &Path) -> io::Result<impl Read> {
    let log = File::open(path)?;
    let older: Box<dyn Read> = match File::open(aside(path)) {
        Ok(older) => Box::new(older),
        Err(_) => Box::new(io::empty()),
    };
    Ok(older.chain(log))
}

/// Opens a log and locks it for us alone, once the processes that write to it have ended.
///
/// # Errors
/// When those processes are still there after half a minute.
pub async fn lock(path: &Path) -> anyhow::Result<File> {
    let file = open_to_append(path).with_context(|| format!("can't open {}", path.display()))?;
    let deadline = Instant::now() + LOCK_LIMIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(POLL).await,
            Err(TryLockError::WouldBlock) => {
                let holder = lock_holder::of(&file, path)
                    .unwrap_or_else(|| format!("See which: fuser -v {}", path.display()));
                bail!("a process that runs still writes to {}. {holder}", path.display())
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("can't lock {}", path.display()));
            }
        }
    }
}

/// The last `lines` lines, or a note that there are none. It is for messages, and never fails.
pub fn tail(path: &Path, lines: usize) -> String {
    tail_after(path, 0, lines)
}

/// The same as [`tail`], for what was written after the first `start` bytes. A log that is shorter than that was
/// emptied since, so all that is in it was written later.
pub fn tail_after(path: &Path, start: u64, lines: usize) -> String {
    match open_to_read(path).and_then(|file| read_end(file, start)) {
        Ok(text) if !text.trim().is_empty() => last_lines(&text, lines),
        _ => format!("(nothing in {})", path.display()),
    }
}

fn read_end(mut file: File, start: u64) -> io::Result<String> {
    let length = file.metadata()?.len();
    let start = if length < start { 0 } else { start };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_put_aside_its_writers_go_on_and_its_readers_find_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica-1.log");
        let (mut writer, log) = (open_to_append(&path).unwrap(), open_to_append(&path).unwrap());
        let line = [b'x'; 1023];
        let mut number = 0;
        let mut write = |megabytes: usize| {
            for _ in 0..megabytes * 1024 {
                number += 1;
                writeln!(writer, "{number:07}{}", String::from_utf8_lossy(&line[..1016])).unwrap();
            }
        };
        let all = || {
            let mut text = String::new();
            open_all(&path).unwrap().read_to_string(&mut text).unwrap();
            text.lines().map(|line| line[..7].parse::<u32>().unwrap()).collect::<Vec<_>>()
        };
        let on_disk = || {
            let files = fs::read_dir(folder.path()).unwrap().flatten();
            files.map(|file| file.metadata().unwrap().len()).sum::<u64>()
        };

        write(8);
        assert!(!is_long(&path) && !put_aside_if_long(&log, &aside(&path)).unwrap());
        write(1);
        assert!(is_long(&path) && put_aside_if_long(&log, &aside(&path)).unwrap());
        write(2);
        assert_eq!(all(), (1..=11 * 1024).collect::<Vec<_>>());
        assert!(tail_after(&path, 8 * 1024 * 1024, 1).starts_with("0011264"), "it is shorter now");

        for _ in 0..10 {
            write(3);
            put_aside_if_long(&log, &aside(&path)).unwrap();
            assert!(on_disk() <= 2 * LONGEST + 6 * 1024 * 1024, "{}", on_disk());
        }
        let left = all();
        assert_eq!(*left.last().unwrap(), 41 * 1024);
        assert!(left.windows(2).all(|pair| pair[1] == pair[0] + 1), "nothing is missing in between");
    }

    #[test]
    fn a_log_that_can_not_be_copied_is_emptied_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica-1.log");
        let log = open_to_append(&path).unwrap();
        log.set_len(LONGEST + 1).unwrap();

        let put_aside = put_aside_if_long(&log, &folder.path().join("missing/replica-1.log.1"));

        assert!(put_aside.is_err());
        assert_eq!(log.metadata().unwrap().len(), 0);
    }
}
