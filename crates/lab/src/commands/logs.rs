//! `lab logs`: what the replicas write, each line with the name of its replica, in the order of time. Start with
//! [`logs`].

mod entry;
mod reader;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

use anyhow::ensure;
use flash_sale_testbed::log_file::is_log;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use entry::Entry;
use reader::Log;

use crate::console;
use crate::control::ask;
use crate::control::messages::Request;
use crate::project::{LAB, LOGS};
use crate::wording::counted;

/// Longer than the time between a line's time stamp and its arrival in the file.
const POLL: Duration = Duration::from_millis(100);
/// When following begins, so many of the last entries are shown.
const ENTRIES_BEFORE: usize = 60;
/// And so many of the last warnings and errors from before those entries.
const TROUBLES_BEFORE: usize = 20;

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
}
