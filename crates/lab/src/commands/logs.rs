//! `lab logs`: what the replicas write, each line with the name of its replica.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use tokio::time::sleep;

use crate::control::{Request, ask};
use crate::project::LOGS;

const POLL: Duration = Duration::from_millis(100);
/// So that a large log is read in pieces.
const PIECE_BYTES: u64 = 256 * 1024;

/// When following, the lines that are shown of what was there before.
const LINES_BEFORE: usize = 40;

/// Prints the logs, merged by time, and what is added to them until Ctrl-C. Following begins with the last few
/// lines, and goes on when the shop is closed and opened again.
///
/// # Errors
/// When there are none yet, or they can't be read.
pub async fn logs(follow: bool) -> anyhow::Result<()> {
    let mut logs: Vec<Log> = Vec::new();
    find_new(&mut logs)?;
    ensure!(!logs.is_empty(), "there are no logs yet. Start the shop: make run");
    let closed = ask(&Request::Status, |_| {}).await?.is_none();
    let printing = async {
        print_so_far(&mut logs, if follow { LINES_BEFORE } else { usize::MAX })?;
        if !follow {
            return Ok(());
        }
        if closed {
            eprintln!("The shop is closed. Open it in another terminal: make run. Ctrl-C ends this.");
        }
        loop {
            if !print_new(&mut logs)? {
                sleep(POLL).await;
                find_new(&mut logs)?;
            }
        }
    };
    let printed: io::Result<()> = tokio::select! {
        printed = printing => printed,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    match printed {
        // `lab logs | head`
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}

struct Log {
    name: String,
    path: PathBuf,
    position: u64,
    /// The beginning of a line whose end isn't written yet.
    unfinished: Vec<u8>,
}

/// Adds the logs of replicas that weren't there before.
fn find_new(logs: &mut Vec<Log>) -> io::Result<()> {
    let entries = match fs::read_dir(LOGS) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("replica-") && logs.iter().all(|log| log.path != path) {
            logs.push(Log { name, path, position: 0, unfinished: Vec::new() });
        }
    }
    logs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(())
}

/// The end of each log, merged: a line begins with its time, and one that doesn't belongs to the line before.
fn print_so_far(logs: &mut [Log], most_lines: usize) -> io::Result<()> {
    let mut lines: Vec<(String, String)> = Vec::new();
    for log in logs {
        log.skip_to_end()?;
        let mut time = String::new();
        for line in log.read_lines()? {
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Some((begin, _)) = line.split_once(' ').filter(|(begin, _)| begin.starts_with('[')) {
                time = begin.to_owned();
            }
            lines.push((time.clone(), format!("{} | {line}", log.name)));
        }
    }
    lines.sort_by(|(one, _), (other, _)| one.cmp(other));
    let skipped = lines.len().saturating_sub(most_lines);
    let mut output = BufWriter::new(io::stdout().lock());
    for (_, line) in &lines[skipped..] {
        output.write_all(line.as_bytes())?;
    }
    output.flush()
}

/// False when there was nothing new.
fn print_new(logs: &mut [Log]) -> io::Result<bool> {
    let mut output = BufWriter::new(io::stdout().lock());
    let mut printed = false;
    for log in logs {
        for line in log.read_lines()? {
            write!(output, "{} | ", log.name)?;
            output.write_all(&line)?;
            printed = true;
        }
    }
    output.flush()?;
    Ok(printed)
}

impl Log {
    /// Leaves out all but the last piece, and the line that this cuts.
    fn skip_to_end(&mut self) -> io::Result<()> {
        let length = fs::metadata(&self.path)?.len();
        if length > PIECE_BYTES {
            self.position = length - PIECE_BYTES;
            let piece = self.read_new()?;
            let cut = piece.iter().position(|byte| *byte == b'\n').map_or(piece.len(), |end| end + 1);
            self.unfinished = piece[cut..].to_vec();
        }
        Ok(())
    }

    /// The lines that were finished since the last call.
    fn read_lines(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let new = self.read_new()?;
        self.unfinished.extend(new);
        let end = self.unfinished.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let rest = self.unfinished.split_off(end);
        let finished = std::mem::replace(&mut self.unfinished, rest);
        Ok(finished.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
    }

    fn read_new(&mut self) -> io::Result<Vec<u8>> {
        let mut file = match File::open(&self.path) {
            // `lab clean` removed it; the next lab makes it again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.position = 0;
                return Ok(Vec::new());
            }
            file => file?,
        };
        if file.metadata()?.len() < self.position {
            // It was emptied.
            self.position = 0;
            self.unfinished.clear();
        }
        file.seek(SeekFrom::Start(self.position))?;
        let mut bytes = Vec::new();
        file.take(PIECE_BYTES).read_to_end(&mut bytes)?;
        self.position += bytes.len() as u64;
        Ok(bytes)
    }
}
