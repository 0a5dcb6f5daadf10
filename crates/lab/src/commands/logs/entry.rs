//! One message of a log, and how it is printed.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::project::{LAB, LABS_LABEL};

const LABEL_WIDTH: usize = 9;

/// A message in a log. A panic or a backtrace has several lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The time as it was written. The order of these texts is the order of time.
    pub(super) time: String,
    pub(super) level: Level,
    pub(super) log: String,
    pub(super) lines: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Error,
    Warning,
    Other,
}

impl Entry {
    /// `None` when the line belongs to the entry before: an entry begins with `[time LEVEL]`.
    pub(super) fn begin(log: &str, line: &str) -> Option<Self> {
        let (time, rest) = line.strip_prefix('[')?.split_once(' ')?;
        let level = match rest.split([' ', ']']).next()? {
            "ERROR" => Level::Error,
            "WARN" => Level::Warning,
            "INFO" | "DEBUG" | "TRACE" => Level::Other,
            _ => return None,
        };
        Some(Self { time: time.to_owned(), level, log: log.to_owned(), lines: vec![line.to_owned()] })
    }

    pub(super) fn is_trouble(&self) -> bool {
        self.level != Level::Other
    }

    /// A request that was answered with 5xx: "[time INFO ] GET / 503 …".
    pub(super) fn is_failed_request(&self) -> bool {
        let status = || self.lines.first()?.split_once("] ")?.1.split(' ').nth(2);
        status().is_some_and(|status| status.len() == 3 && status.starts_with('5'))
    }

    pub(super) fn write(&self, output: &mut impl Write) -> io::Result<()> {
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
