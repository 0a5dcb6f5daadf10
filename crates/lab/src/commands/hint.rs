//! `lab hint`: the next of three hints.

use std::path::Path;

use crate::console;
use crate::hint;
use crate::project::STATE;

/// Prints the next hint; or forgets which were given, and prints the first.
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
