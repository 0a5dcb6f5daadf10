//! `lab logs`: what the replicas write, each line with the name of its replica.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use tokio::time::sleep;

use crate::project::LOGS;

const POLL: Duration = Duration::from_millis(100);
/// So that a large log is read in pieces.
const PIECE_BYTES: u64 = 256 * 1024;

/// Prints the logs, and what is added to them until Ctrl-C.
///
/// # Errors
/// When there are none yet, or they can't be read.
pub async fn logs(follow: bool) -> anyhow::Result<()> {
    let mut logs: Vec<Log> = Vec::new();
    find_new(&mut logs)?;
    ensure!(!logs.is_empty(), "there are no logs yet. Start the shop: make run");
    let printing = async {
        loop {
            let printed = print_new(&mut logs)?;
            if !printed && !follow {
                return Ok(());
            }
            if !printed {
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

/// False when there was nothing new.
fn print_new(logs: &mut [Log]) -> io::Result<bool> {
    let mut output = BufWriter::new(io::stdout().lock());
    let mut printed = false;
    for log in logs {
        let bytes = log.read_new()?;
        printed |= !bytes.is_empty();
        log.unfinished.extend(bytes);
        while let Some(end) = log.unfinished.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = log.unfinished.drain(..=end).collect();
            write!(output, "{} | ", log.name)?;
            output.write_all(&line)?;
        }
    }
    output.flush()?;
    Ok(printed)
}

impl Log {
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
