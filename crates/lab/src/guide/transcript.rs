//! The guide's transcripts of psql: what is typed in one or two terminals, and what each terminal prints, in order of
//! time.
//!
//! A transcript is a block of the language `psql`. Its first line says where the transcript starts: after a Reset, so
//! that there is one copy and no order. The next line says which terminals there are. Then comes what the terminals
//! show, each in a column of its own:
//!
//! ```text
//! start: Reset
//!
//! terminal 1                      terminal 2
//! => BEGIN;
//! BEGIN
//!                                 => SELECT quantity
//!                                    FROM products FOR UPDATE;
//!                                 ... waits ...
//! ```
//!
//! `=> ` stands before what is typed. A line between dots says that the terminal waits for a lock.

use std::iter;

use anyhow::{Context, bail, ensure};

/// One transcript.
#[derive(Debug, PartialEq, Eq)]
pub struct Transcript {
    /// The number of the line in the document in which the block begins.
    pub line: usize,
    /// What happens, in order.
    pub events: Vec<PlayedEvent>,
}

/// An event in the terminal with this number. The first terminal is 0.
#[derive(Debug, PartialEq, Eq)]
pub enum PlayedEvent {
    /// A statement is typed.
    Types(usize, String),
    /// The statement waits for a lock.
    Waits(usize),
    /// The terminal prints this, and is ready for the next statement.
    Prints(usize, String),
}

/// A transcript's first line: where it starts.
const START: &str = "start: Reset";
const PROMPT: &str = "=> ";
/// The indentation of the further lines of a statement.
const CONTINUATION: &str = "   ";
/// The largest number of terminals.
pub const MOST_TERMINALS: usize = 2;

/// The transcripts of a document or of a section. `first_line` is the number of the text's first line in the
/// document.
///
/// # Errors
/// When a transcript is not written as it must be. The error says which one, and why.
pub fn transcripts(text: &str, first_line: usize) -> anyhow::Result<Vec<Transcript>> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = (0..lines.len()).filter(|at| lines[*at] == "```psql");
    begins
        .map(|at| {
            let block: Vec<&str> =
                lines[at + 1..].iter().copied().take_while(|line| *line != "```").collect();
            let line = first_line + at;
            read(&block, line).with_context(|| format!("the transcript in line {line}"))
        })
        .collect()
}

fn read(block: &[&str], line: usize) -> anyhow::Result<Transcript> {
    let [START, "", header, rest @ ..] = block else {
        bail!("it does not begin with {START:?}, and its terminals")
    };
    ensure!(header.starts_with("terminal 1"), "its terminals are {header:?}");
    let columns = iter::once(0).chain(header.find("terminal 2")).collect::<Vec<_>>();
    let mut shown: Vec<(usize, &str)> = Vec::new();
    for row in rest.iter().filter(|row| !row.trim().is_empty()) {
        shown.push(cell(row, &columns)?);
    }
    let mut events = Vec::new();
    let mut rows = shown.into_iter().peekable();
    while let Some((terminal, row)) = rows.next() {
        let mut joined = row.to_owned();
        let mut take_while = |goes_on: &dyn Fn(&str, &str) -> bool| {
            while let Some((_, next)) =
                rows.next_if(|(other, next)| *other == terminal && goes_on(&joined, next))
            {
                joined.push('\n');
                joined.push_str(next);
            }
        };
        if let Some(typed) = row.strip_prefix(PROMPT) {
            take_while(&|so_far, next| !so_far.ends_with(';') && next.starts_with(CONTINUATION));
            ensure!(joined.ends_with(';'), "{typed:?} has no end");
            events.push(PlayedEvent::Types(terminal, joined[PROMPT.len()..].to_owned()));
        } else if is_wait(row) {
            events.push(PlayedEvent::Waits(terminal));
        } else {
            take_while(&|_, next| !next.starts_with(PROMPT) && !is_wait(next));
            events.push(PlayedEvent::Prints(terminal, joined));
        }
    }
    check_order(&events)?;
    Ok(Transcript { line, events })
}

/// The number of the terminal in which a row stands, and the text of the row.
fn cell<'a>(row: &'a str, columns: &[usize]) -> anyhow::Result<(usize, &'a str)> {
    let Some(column) = columns.get(1) else { return Ok((0, row)) };
    let indentation = row.len() - row.trim_start().len();
    if indentation >= *column {
        return Ok((1, &row[*column..]));
    }
    ensure!(row.chars().count() < *column, "{row:?} reaches into the other terminal's column");
    Ok((0, row))
}

fn is_wait(row: &str) -> bool {
    row.starts_with("... ") && row.ends_with(" ...")
}

/// Checks that nothing is typed into a busy terminal, and that no terminal is busy at the end.
fn check_order(events: &[PlayedEvent]) -> anyhow::Result<()> {
    let mut busy = [None, None];
    for (number, event) in events.iter().enumerate() {
        match event {
            PlayedEvent::Types(terminal, typed) => {
                ensure!(busy[*terminal].is_none(), "it does not say what is printed before {typed:?}");
                busy[*terminal] = Some(typed);
                let next = events.get(number + 1);
                ensure!(
                    matches!(next, Some(PlayedEvent::Waits(next) | PlayedEvent::Prints(next, _)) if next == terminal),
                    "it does not say what {typed:?} prints, or that it waits"
                );
            }
            PlayedEvent::Waits(terminal) => {
                ensure!(busy[*terminal].is_some(), "no statement was typed that could wait")
            }
            PlayedEvent::Prints(terminal, printed) => {
                ensure!(
                    busy[*terminal].take().is_some(),
                    "no statement was typed that could print {printed:?}"
                );
            }
        }
    }
    let open = busy.into_iter().flatten().next();
    ensure!(open.is_none(), "it does not say what {:?} prints", open.map_or("", String::as_str));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "text\n```psql
start: Reset

terminal 1              terminal 2
=> BEGIN;
BEGIN
=> SELECT 1
   FOR UPDATE;
 ?column?
----------
        1
                        => SELECT 2;
                        ... waits ...
=> ROLLBACK;
ROLLBACK
                        (1 row)
```
";

    fn only(text: &str) -> anyhow::Result<Transcript> {
        let mut all = transcripts(text, 1)?;
        assert_eq!(all.len(), 1);
        Ok(all.remove(0))
    }

    #[test]
    fn two_columns_are_read_in_order_of_time() {
        let transcript = only(TWO).unwrap();

        let expected = [
            PlayedEvent::Types(0, "BEGIN;".to_owned()),
            PlayedEvent::Prints(0, "BEGIN".to_owned()),
            PlayedEvent::Types(0, "SELECT 1\n   FOR UPDATE;".to_owned()),
            PlayedEvent::Prints(0, " ?column?\n----------\n        1".to_owned()),
            PlayedEvent::Types(1, "SELECT 2;".to_owned()),
            PlayedEvent::Waits(1),
            PlayedEvent::Types(0, "ROLLBACK;".to_owned()),
            PlayedEvent::Prints(0, "ROLLBACK".to_owned()),
            PlayedEvent::Prints(1, "(1 row)".to_owned()),
        ];
        assert_eq!(transcript, Transcript { line: 2, events: expected.into() });
    }

    #[test]
    fn what_is_not_said_is_missed() {
        for (said, instead) in [
            ("start: Reset\n", "\n"),
            ("start: Reset", "start: somewhere"),
            ("terminal 1 ", "here"),
            ("=> BEGIN;", ""),
            ("BEGIN\n=>", "=>"),
            ("FOR UPDATE;", "FOR UPDATE"),
            ("                        ... waits ...\n", ""),
            ("                        (1 row)\n", ""),
            ("=> ROLLBACK;", "=> ROLLBACK; -- and so on and on"),
        ] {
            let text = TWO.replacen(said, instead, 1);
            assert!(only(&text).is_err(), "{text}");
        }
    }
}
