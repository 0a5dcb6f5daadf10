//! The three hints, and which one is next. Their texts are the files in `crates/lab/hints`: a teacher can rewrite them.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use flash_sale_testbed::own_files;

/// The hints. Each of them is a step closer. A text in backticks is a file, a piece of code or a command, and a test
/// looks whether it is there. The test also looks for the sections in quotation marks.
pub const HINTS: [&str; 3] = [
    include_str!("../hints/1-the-evidence.txt").trim_ascii_end(),
    include_str!("../hints/2-the-path-of-a-purchase.txt").trim_ascii_end(),
    include_str!("../hints/3-what-is-missing.txt").trim_ascii_end(),
];

/// The file with the number of the last hint that was given. It is in `.flash-sale/`.
const STATE_FILE: &str = "hint";

/// The number of the hint that names the file and the function.
const NAMES_THE_PLACE: usize = 2;

/// Whether the hints have said where in the code to look. `state` is the lab's folder.
pub fn have_named_the_place(state: &Path) -> bool {
    given(state) >= NAMES_THE_PLACE
}

/// Returns the next hint, or the last one again, and remembers its number. `state` is the lab's folder.
///
/// # Errors
/// When the folder can't be written to.
pub fn next(state: &Path) -> anyhow::Result<String> {
    let (file, given) = (state.join(STATE_FILE), given(state));
    let level = given.saturating_add(1).min(HINTS.len());
    own_files::make_folders(state, own_files::mode_on_the_way())
        .and_then(|()| own_files::create(state, STATE_FILE, None))
        .and_then(|mut file| writeln!(file, "{level}"))
        .with_context(|| format!("can't write {}", file.display()))?;

    let after = match (given < HINTS.len(), level == HINTS.len()) {
        (_, false) => "One step closer: make hint",
        (true, true) => "That was the last one. From the first one again: make hint RESET=1",
        (false, true) => {
            "You have had all three; this is the last one again. From the first one: make hint RESET=1"
        }
    };
    Ok(format!("Hint {level} of {}. {}\n\n{after}", HINTS.len(), HINTS[level - 1]))
}

/// How many hints were given.
fn given(state: &Path) -> usize {
    // If the file holds anything else, no hint counts as given: hints are no place for errors.
    fs::read_to_string(state.join(STATE_FILE)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Forgets which hints were given.
///
/// # Errors
/// When the folder can't be written to.
pub fn reset(state: &Path) -> anyhow::Result<()> {
    let file = state.join(STATE_FILE);
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_one_step_closer_and_the_last_one_is_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join(".flash-sale");

        for hint in HINTS {
            assert!(next(&state).unwrap().contains(hint));
        }
        let again = next(&state).unwrap();
        assert!(again.contains(HINTS[2]) && again.contains("the last one again"), "{again}");
        assert!(again.contains("make hint RESET=1"));

        reset(&state).unwrap();
        reset(&state).unwrap();
        assert!(next(&state).unwrap().contains(HINTS[0]));
    }

    #[test]
    fn the_place_is_named_by_the_second_hint_and_not_by_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let names_it = |hint: &str| hint.contains("create_order") || hint.contains(".rs");

        for (number, hint) in HINTS.iter().enumerate() {
            next(folder.path()).unwrap();
            assert_eq!(names_it(hint), number > 0, "{hint}");
            assert_eq!(have_named_the_place(folder.path()), names_it(hint), "after hint {}", number + 1);
        }
        reset(folder.path()).unwrap();
        assert!(!have_named_the_place(folder.path()));
    }

    #[test]
    fn a_damaged_memory_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        for damaged in ["", "first", "-1", "99999999999999999999999"] {
            fs::write(folder.path().join(STATE_FILE), damaged).unwrap();
            assert!(next(folder.path()).unwrap().contains(HINTS[0]), "{damaged:?}");
        }
    }

    #[test]
    fn hints_fit_a_terminal() {
        for line in HINTS.iter().flat_map(|hint| hint.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
