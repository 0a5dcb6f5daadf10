//! Reads the log of one process, piece by piece, also while the log is put aside.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flash_sale_testbed::log_file::aside;

use super::entry::{Entry, Level};

/// The size of the pieces in which a large log is read.
const PIECE_BYTES: u64 = 256 * 1024;
/// When following begins, only so much of the end of each log is looked at. Several checks fit in.
const BYTES_BEFORE: u64 = 2 * 1024 * 1024;

/// The log of one process, and how far it was read.
pub(super) struct Log {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// The part that is being read.
    part: LogPart,
    /// How many bytes of that part were read.
    position: u64,
    /// The beginning of a line whose end isn't written yet.
    unfinished: Vec<u8>,
    /// The last entry that has begun: the next lines may belong to it.
    last: Option<(String, Level)>,
}

/// A log that was long stands in two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogPart {
    /// The part that was put aside.
    Older,
    /// The part that is written to.
    Newer,
}

impl Log {
    pub(super) fn new(name: String, path: PathBuf) -> Self {
        Self { name, path, part: LogPart::Older, position: 0, unfinished: Vec::new(), last: None }
    }

    /// Skips all but the end, and the rest of the line that this cuts.
    pub(super) fn skip_to_end(&mut self) -> io::Result<()> {
        let (older, newer) = (length(&aside(&self.path))?, length(&self.path)?);
        let skipped = (older + newer).saturating_sub(BYTES_BEFORE);
        (self.part, self.position) =
            if skipped < older { (LogPart::Older, skipped) } else { (LogPart::Newer, skipped - older) };
        if skipped > 0 {
            let piece = self.read_piece()?;
            let cut = piece.iter().position(|byte| *byte == b'\n').map_or(piece.len(), |end| end + 1);
            self.unfinished = piece[cut..].to_vec();
        }
        Ok(())
    }

    pub(super) fn read_entries(&mut self) -> io::Result<Vec<Entry>> {
        let mut entries: Vec<Entry> = Vec::new();
        for line in self.read_lines()? {
            match (Entry::begin(&self.name, &line), entries.last_mut(), &self.last) {
                (Some(entry), _, _) => {
                    self.last = Some((entry.time.clone(), entry.level));
                    entries.push(entry);
                }
                (None, Some(entry), _) => entry.lines.push(line),
                (None, None, last) => {
                    let (time, level) = last.clone().unwrap_or((String::new(), Level::Other));
                    entries.push(Entry { time, level, log: self.name.clone(), lines: vec![line] });
                }
            }
        }
        Ok(entries)
    }

    /// The lines that were finished since the last call.
    fn read_lines(&mut self) -> io::Result<Vec<String>> {
        loop {
            let piece = self.read_piece()?;
            if piece.is_empty() {
                break;
            }
            self.unfinished.extend(piece);
        }
        let end = self.unfinished.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let rest = self.unfinished.split_off(end);
        let finished = std::mem::replace(&mut self.unfinished, rest);
        Ok(String::from_utf8_lossy(&finished).lines().map(str::to_owned).collect())
    }

    /// Reads a piece of the older part, and then of the newer one. The piece is empty when there is nothing more yet.
    fn read_piece(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let path = match self.part {
                LogPart::Older => aside(&self.path),
                LogPart::Newer => self.path.clone(),
            };
            let length = length(&path)?;
            let bytes = if length > self.position { read_at(&path, self.position)? } else { Vec::new() };
            self.position += bytes.len() as u64;
            match self.part {
                LogPart::Older if bytes.is_empty() => {
                    if length < self.position {
                        // The log wasn't put aside, but emptied: by the next lab, or by `lab clean`.
                        self.unfinished.clear();
                    }
                    (self.part, self.position) = (LogPart::Newer, 0);
                }
                // The log was put aside, and its end may not be read yet.
                LogPart::Newer if length < self.position => self.part = LogPart::Older,
                _ => return Ok(bytes),
            }
        }
    }
}

/// A file's length in bytes; 0 when the file isn't there. `lab clean` removes logs, and the next lab makes them again.
fn length(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        metadata => Ok(metadata?.len()),
    }
}

fn read_at(path: &Path, position: u64) -> io::Result<Vec<u8>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    file.take(PIECE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_panic_is_one_entry_and_colours_are_taken_away_where_there_is_no_terminal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica-2.log");
        fs::write(&path, "[10 ERROR] panicked at a.rs:1:\nall over\n[11 INFO ] GET / 503 1 ms\n[12").unwrap();
        let mut log = Log::new("replica-2".to_owned(), path);

        let entries = log.read_entries().unwrap();

        assert_eq!(entries[0].lines, ["[10 ERROR] panicked at a.rs:1:", "all over"]);
        assert!(entries[0].is_trouble() && entries[1].is_failed_request() && entries.len() == 2);
        let mut plain = anstream::StripStream::new(Vec::new());
        entries.iter().for_each(|entry| entry.write(&mut plain).unwrap());
        let text = String::from_utf8(plain.into_inner()).unwrap();
        assert_eq!(
            text,
            "replica-2 | [10 ERROR] panicked at a.rs:1:\nreplica-2 | all over\nreplica-2 | [11 INFO ] GET / 503 1 ms\n"
        );
    }

    #[test]
    fn a_log_that_is_put_aside_while_it_is_read_is_read_to_its_end_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica-1.log");
        let write = |path: &Path, text: &str| {
            let mut file = File::options().create(true).append(true).open(path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        let put_aside = || {
            fs::copy(&path, aside(&path)).unwrap();
            File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        };
        let read = |log: &mut Log| {
            log.read_lines().unwrap().iter().map(|line| line[1..3].to_owned()).collect::<Vec<_>>()
        };
        let line = |number: u8| format!("[{number} INFO ] GET / 200\n");

        write(&path, &(line(10) + &line(11)));
        put_aside();
        write(&path, &(line(12) + "[1"));
        let mut log = Log::new("replica-1".to_owned(), path.clone());
        assert_eq!(read(&mut log), ["10", "11", "12"]);
        write(&path, &format!("3 INFO ] GET / 200\n{}", line(14)));
        put_aside();
        write(&path, &line(15));
        assert_eq!(read(&mut log), ["13", "14", "15"]);
        assert!(read(&mut log).is_empty());
        let mut from_the_end = Log::new("replica-1".to_owned(), path.clone());
        from_the_end.skip_to_end().unwrap();
        assert_eq!(read(&mut from_the_end), ["12", "13", "14", "15"]);

        // The next lab empties both files.
        fs::write(aside(&path), "").unwrap();
        fs::write(&path, line(20)).unwrap();
        assert_eq!(read(&mut log), Vec::<String>::new(), "as long as the line before");
        write(&path, &line(21));
        assert_eq!(read(&mut log), ["21"]);
    }
}
