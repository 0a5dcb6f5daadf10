//! What a command prints. The reader may leave before the end (`lab status | head -1`), the terminal may be closed, and
//! the disk may be full. With `println!`, each of these is a panic. Here the command goes on as if its output had been
//! read: it may have things to put in order, and its exit code says how its work went. If something else than the
//! reader's leaving was in the way, [`failure`] tells it at the end.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::OnceLock;

/// Why something could not be printed, the first time.
static FIRST_ERROR: OnceLock<io::Error> = OnceLock::new();

/// Prints a line. Colours are left out where no terminal would show them.
pub fn line(text: impl Display) {
    note(writeln!(anstream::stdout().lock(), "{text}"));
}

/// Prints a text without a line's end.
pub fn text(text: impl Display) {
    let mut output = io::stdout().lock();
    note(write!(output, "{text}").and_then(|()| output.flush()));
}

/// Prints a line to standard error. If that fails, there is no other way to say it.
pub fn error_line(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Remembers whether printing failed, for callers that print in another way.
pub fn note(printed: io::Result<()>) {
    if let Err(error) = printed {
        // Later errors have the same reason.
        let _ = FIRST_ERROR.set(error);
    }
}

/// Whether nobody reads the output any more. Then a command that only goes on to print may end.
pub fn reader_has_left() -> bool {
    FIRST_ERROR.get().is_some_and(has_left)
}

/// Why something was not printed, unless its reader had left.
pub fn failure() -> Option<anyhow::Error> {
    let error = FIRST_ERROR.get().filter(|error| !has_left(error))?;
    let error = error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
    Some(anyhow::Error::new(error).context("not all of it could be printed"))
}

/// EPIPE comes from a pipe whose reader has left; EIO comes from a terminal that is closed.
fn has_left(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
        || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}
