//! `lab logs`: what the replicas write, each line with the name of its replica, in the order of time. Start with
//! [`logs`].

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use anyhow::ensure;
use flash_sale_testbed::log_file::{aside, is_log};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::console;
use crate::control::ask;
use crate::control::messages::Request;
use crate::project::{LAB, LABS_LABEL, LOGS};
use crate::wording::counted;

/// Longer than the time between a line's time stamp and its arrival in the file.
const POLL: Duration = Duration::from_millis(100);
/// The size of the pieces in which a large log is read.
const PIECE_BYTES: u64 = 256 * 1024;

/// When following begins, only so much of the end of each log is looked at. Several checks fit in.
const BYTES_BEFORE: u64 = 2 * 1024 * 1024;
/// When following begins, so many of the last entries are shown.
const ENTRIES_BEFORE: usize = 60;
/// And so many of the last warnings and errors from before those entries.
const TROUBLES_BEFORE: usize = 20;

const LABEL_WIDTH: usize = 9;

/// Prints the logs, merged by time. With `follow`, it also prints what is added to them, until Ctrl-C: it begins with
/// the last entries and the last troubles, and goes on when the shop is closed and opened again.
///
/// # Errors
/// When there are no logs yet, or they can't be read.
pub async fn logs(follow: bool) -> anyhow::Result<()> {
    // The signal is heard from now on: a person may press Ctrl-C as soon as a line is there.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut logs: Vec<Log> = Vec::new();
    find_new(&mut logs)?;
    ensure!(!logs.is_empty(), "there are no logs yet. Start the shop: make run");
    let closed = ask(&Request::Status, |_| {}).await?.is_none();
    let printing = async {
        if !follow {
            return print(&in_order(read_new(&mut logs)?));
        }
        for log in &mut logs {
            log.skip_to_end()?;
        }
        print_end(&in_order(read_new(&mut logs)?))?;
        if closed {
            console::error_line(
                "The shop is closed. Open it in another terminal: make run. Ctrl-C ends this.",
            );
        }
        let mut held = Vec::new();
        loop {
            sleep(POLL).await;
            find_new(&mut logs)?;
            let settled;
            (settled, held) = settle(held, read_new(&mut logs)?);
            print(&settled)?;
        }
    };
    let printed: io::Result<()> = tokio::select! {
        printed = printing => printed,
        _ = interrupt.recv() => Ok(()),
    };
    match printed {
        // `lab logs | head`
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}

/// A message in a log. A panic or a backtrace has several lines.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// The time as it was written. The order of these texts is the order of time.
    time: String,
    level: Level,
    log: String,
    lines: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Other,
}

impl Entry {
    /// `None` when the line belongs to the entry before: an entry begins with `[time LEVEL]`.
    fn begin(log: &str, line: &str) -> Option<Self> {
        let (time, rest) = line.strip_prefix('[')?.split_once(' ')?;
        let level = match rest.split([' ', ']']).next()? {
            "ERROR" => Level::Error,
            "WARN" => Level::Warning,
            "INFO" | "DEBUG" | "TRACE" => Level::Other,
            _ => return None,
        };
        Some(Self { time: time.to_owned(), level, log: log.to_owned(), lines: vec![line.to_owned()] })
    }

    fn is_trouble(&self) -> bool {
        self.level != Level::Other
    }

    /// A request that was answered with 5xx: "[time INFO ] GET / 503 …".
    fn is_failed_request(&self) -> bool {
        let status = || self.lines.first()?.split_once("] ")?.1.split(' ').nth(2);
        status().is_some_and(|status| status.len() == 3 && status.starts_with('5'))
    }

    fn write(&self, output: &mut impl Write) -> io::Result<()> {
        let (label, color) = match self.log.as_str() {
            LAB => (LABS_LABEL, AnsiColor::Magenta),
            name if name.ends_with(|digit: char| digit.is_ascii_digit() && digit as u8 % 2 == 1) => {
                (name, AnsiColor::Cyan)
            }
            name => (name, AnsiColor::Blue),
        };
        let label_style = Style::new().fg_color(Some(color.into()));
        let style = match self.level {
            Level::Error => Style::new().fg_color(Some(AnsiColor::Red.into())),
            Level::Warning => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            Level::Other if self.is_failed_request() => Style::new().fg_color(Some(AnsiColor::Red.into())),
            Level::Other => Style::new(),
        };
        for line in &self.lines {
            writeln!(output, "{label_style}{label:<LABEL_WIDTH$} |{label_style:#} {style}{line}{style:#}")?;
        }
        Ok(())
    }
}

/// Sorts the entries by time. Entries of one log, and of one time, keep their order.
fn in_order(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by(|one, other| one.time.cmp(&other.time));
    entries
}

/// Returns the entries that can be printed, in the order of time, and the entries that have to wait until the next
/// reading: another log may still get an older one. `held` are the entries that have waited.
fn settle(held: Vec<Entry>, new: Vec<Entry>) -> (Vec<Entry>, Vec<Entry>) {
    let Some(newest) = held.iter().map(|entry| entry.time.clone()).max() else {
        return (Vec::new(), new);
    };
    let (settled, later) = new.into_iter().partition(|entry| entry.time <= newest);
    (in_order([held, settled].concat()), later)
}

/// Prints the last troubles, and then the last entries.
fn print_end(entries: &[Entry]) -> io::Result<()> {
    let (before, last) = entries.split_at(entries.len().saturating_sub(ENTRIES_BEFORE));
    let troubles: Vec<Entry> = before.iter().filter(|entry| entry.is_trouble()).cloned().collect();
    let troubles = &troubles[troubles.len().saturating_sub(TROUBLES_BEFORE)..];
    if !before.is_empty() {
        let older = counted(before.len() - troubles.len(), "older entry");
        console::error_line(format_args!(
            "{older} left out, but for the last warnings and errors. All of them: make logs ARGS=--no-follow"
        ));
    }
    print(troubles)?;
    print(last)
}

/// Prints entries, in colours if the output is a terminal.
fn print(entries: &[Entry]) -> io::Result<()> {
    let mut output = BufWriter::new(anstream::stdout().lock());
    for entry in entries {
        entry.write(&mut output)?;
    }
    output.flush()
}

struct Log {
    name: String,
    path: PathBuf,
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

/// Adds the logs that weren't there before.
fn find_new(logs: &mut Vec<Log>) -> io::Result<()> {
    let entries = match fs::read_dir(LOGS) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_ours = is_log(&path) && (name.starts_with("replica-") || name == LAB);
        if is_ours && logs.iter().all(|log| log.path != path) {
            logs.push(Log::new(name, path));
        }
    }
    logs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(())
}

/// The entries that were finished in each log since the last call.
fn read_new(logs: &mut [Log]) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for log in logs {
        let from_lab = log.name == LAB;
        entries.extend(log.read_entries()?.into_iter().filter(|entry| !from_lab || entry.is_trouble()));
    }
    Ok(entries)
}

impl Log {
    fn new(name: String, path: PathBuf) -> Self {
        Self { name, path, part: LogPart::Older, position: 0, unfinished: Vec::new(), last: None }
    }

    /// Skips all but the end, and the rest of the line that this cuts.
    fn skip_to_end(&mut self) -> io::Result<()> {
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

    fn read_entries(&mut self) -> io::Result<Vec<Entry>> {
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
    use super::*;

    fn entry(log: &str, time: &str) -> Entry {
        Entry::begin(log, &format!("[{time} INFO ] GET / 200")).unwrap()
    }

    fn times(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.time.as_str()).collect()
    }

    #[test]
    fn an_older_entry_that_is_read_later_is_printed_before() {
        let first = vec![entry("replica-1", "10"), entry("replica-1", "30")];
        let second = vec![entry("replica-2", "20"), entry("replica-2", "40")];

        let (settled, held) = settle(Vec::new(), first);
        assert_eq!((times(&settled), times(&held)), (vec![], vec!["10", "30"]));
        let (settled, held) = settle(held, second);
        assert_eq!((times(&settled), times(&held)), (vec!["10", "20", "30"], vec!["40"]));
        let (settled, held) = settle(held, Vec::new());
        assert_eq!((times(&settled), times(&held)), (vec!["40"], vec![]));
    }

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
