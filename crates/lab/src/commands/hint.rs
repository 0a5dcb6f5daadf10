//! `lab hint`: the next of three hints.

use std::path::Path;

use crate::console;
use crate::hint;
use crate::project::STATE;

/// Prints the next hint. With `reset`, it first forgets which hints were given, and so prints the first one.
///
/// # Errors
/// When the lab's folder can't be written to.
pub fn hint(reset: bool) -> anyhow::Result<()> {
    let state = Path::new(STATE);
    if reset {
        hint::reset(state)?;
    }
    console::line(hint::next(state)?);
    Ok(())
}
