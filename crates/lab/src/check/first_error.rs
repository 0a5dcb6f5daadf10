//! Finds the first error that was logged while the replicas were judged: by a replica, or by the lab when one died. A
//! check that met a 5xx shows it, so that the reason can be read there.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flash_sale_testbed::log_file::{is_log, open_all};
use sea_orm::prelude::ChronoUtc;

use crate::project::{LAB, LABS_LABEL};

/// At most so many bytes of each log are read: a log may be written to all the time.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// At most so many letters of a line are shown.
const MOST_LETTERS: usize = 240;
/// Errors are looked for before warnings: a mistake explains more than an obstacle that passes.
const LEVELS: [&str; 2] = [" ERROR] ", " WARN ] "];

/// The logs from some moment on. The moment is a time, and not a length of the files, because a log may be put aside
/// meanwhile.
pub struct LogsSince {
    folder: PathBuf,
    /// In the form in which a log's line begins. Its order is the order of time.
    time: String,
}

/// The two parts of a line: its beginning up to the level, and the text that follows.
type Said = (String, String);

impl LogsSince {
    /// The logs in this folder, from now on.
    pub fn now(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            time: ChronoUtc::now().format("[%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        }
    }

    /// The first error that was logged since then, in a line: "replica-1: panicked at …", "shop: replica-1 died (…)".
    pub fn first_error(&self) -> Option<String> {
        let paths = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let logs: Vec<(String, [Option<Said>; 2])> = paths
            .filter_map(|path| {
                let label = label(&path)?;
                Some((label, first_errors(open_all(&path).ok()?.take(MOST_BYTES), &self.time)))
            })
            .collect();
        (0..LEVELS.len()).find_map(|level| {
            let errors = logs.iter().filter_map(|(label, errors)| {
                let (time, error) = errors[level].as_ref()?;
                Some((time, format!("{label}: {error}")))
            });
            errors.min().map(|(_, error)| error)
        })
    }
}

/// The name of the log's writer, as `make logs` shows it; `None` for other logs.
fn label(path: &Path) -> Option<String> {
    let name = path.file_stem().filter(|_| is_log(path))?.to_string_lossy().into_owned();
    if name == LAB { Some(LABS_LABEL.to_owned()) } else { name.starts_with("replica-").then_some(name) }
}

/// The first error of each level. A panic has two lines: the first says where it was, and the second says what
/// happened.
fn first_errors(log: impl Read, since: &str) -> [Option<Said>; 2] {
    let mut lines = BufReader::new(log).split(b'\n').map_while(Result::ok);
    let mut found = LEVELS.map(|_| None);
    while let Some(line) = lines.next() {
        if line.first() != Some(&b'[') || line.as_slice() < since.as_bytes() {
            continue;
        }
        let line = String::from_utf8_lossy(&line);
        let split = |level: &usize| line.split_once(LEVELS[*level]);
        let Some(level) = (0..LEVELS.len()).find(|level| found[*level].is_none() && split(level).is_some())
        else {
            continue;
        };
        let (time, said) = split(&level).unwrap_or_default();
        let more = if said.ends_with(':') { lines.next() } else { None };
        let more = more.map(|line| format!(" {}", String::from_utf8_lossy(&line))).unwrap_or_default();
        let said: String = said.chars().chain(more.chars()).take(MOST_LETTERS).collect();
        found[level] = Some((time.to_owned(), said));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;
    use flash_sale_testbed::log_file::aside;

    #[test]
    fn the_first_error_since_then_is_found_in_whichever_log_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let log =
            |name: &str| File::options().create(true).append(true).open(folder.path().join(name)).unwrap();
        let (mut one, mut two) = (log("replica-1.log"), log("replica-2.log"));
        writeln!(one, "[2026-01-01T00:00:00.000Z ERROR] long ago").unwrap();
        writeln!(log("other.log"), "[2026-01-01T00:00:01.000Z ERROR] of no replica").unwrap();
        writeln!(log("lab.log"), "[2026-01-01T00:00:00.300Z ERROR] long ago too").unwrap();

        let since =
            LogsSince { folder: folder.path().to_owned(), time: "[2026-01-01T00:00:00.400Z".to_owned() };
        assert_eq!(since.first_error(), None);

        writeln!(one, "[2026-01-01T00:00:00.500Z WARN ] could not serialize access").unwrap();
        assert_eq!(since.first_error().as_deref(), Some("replica-1: could not serialize access"));

        writeln!(one, "[2026-01-01T00:00:03.000Z ERROR] later").unwrap();
        writeln!(two, "[2026-01-01T00:00:01.000Z INFO ] POST /api/orders 500").unwrap();
        writeln!(two, "[2026-01-01T00:00:02.000Z ERROR] panicked at order_service.rs:44:13:\nall over")
            .unwrap();
        let error = since.first_error();
        assert_eq!(error.as_deref(), Some("replica-2: panicked at order_service.rs:44:13: all over"));

        // The log is put aside, and the replica writes on into a new one.
        let path = folder.path().join("replica-2.log");
        fs::rename(&path, aside(&path)).unwrap();
        writeln!(log("replica-2.log"), "[2026-01-01T00:00:04.000Z ERROR] later").unwrap();
        assert_eq!(since.first_error(), error);
    }

    #[test]
    fn now_is_written_as_the_log_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let log =
            || File::options().create(true).append(true).open(folder.path().join("replica-1.log")).unwrap();
        let mut lines = env_logger::Builder::new();
        lines.filter_level(log::LevelFilter::Info).format_timestamp_millis().format_target(false);
        let logger = lines.target(env_logger::Target::Pipe(Box::new(log()))).build();
        let say = |text: &str| {
            log::Log::log(
                &logger,
                &log::Record::builder().level(log::Level::Error).args(format_args!("{text}")).build(),
            );
        };

        say("before");
        std::thread::sleep(std::time::Duration::from_millis(2));
        let since = LogsSince::now(folder.path());
        say("after");

        assert_eq!(since.first_error().as_deref(), Some("replica-1: after"));
    }

    #[test]
    fn of_a_replica_that_has_died_without_a_word_the_lab_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let log = || File::options().create(true).append(true).open(folder.path().join("lab.log")).unwrap();
        writeln!(log(), "[2026-01-01T00:00:01.000Z WARN ] replica-2 died (long ago)").unwrap();
        let since =
            LogsSince { folder: folder.path().to_owned(), time: "[2026-01-01T00:00:01.001Z".to_owned() };

        writeln!(log(), "[2026-01-01T00:00:02.000Z WARN ] replica-1 died (exit status: 7)").unwrap();

        assert_eq!(since.first_error().as_deref(), Some("shop: replica-1 died (exit status: 7)"));
    }
}
