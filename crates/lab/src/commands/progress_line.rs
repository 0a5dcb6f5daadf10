//! A line that says how far a command is. The terminal may be closed meanwhile: then nothing is printed, and the
//! command goes on, so that it can put things in order.

use std::io::{IsTerminal, Write};

/// Shows a line. On a terminal, each line replaces the one before.
pub fn show(line: &str) {
    let mut errors = std::io::stderr();
    // Nobody misses a line that can't be shown.
    let _ =
        if errors.is_terminal() { write!(errors, "\r\x1b[K{line}…") } else { writeln!(errors, "{line}") };
}

/// Removes the last line from the terminal.
pub fn clear() {
    let mut errors = std::io::stderr();
    if errors.is_terminal() {
        let _ = write!(errors, "\r\x1b[K");
    }
}

/// Prints a line that stays.
pub fn say(line: &str) {
    clear();
    let _ = writeln!(std::io::stderr(), "{line}");
}
