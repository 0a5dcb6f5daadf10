//! The folder in memory that `make test` lends its tests.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::path::Path;
use std::process::{Command, Output};

fn in_memory(script: &str, tmpdir: Option<&str>) -> Output {
    let mut command = Command::new("sh");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("in-memory.sh")).args(["sh", "-c", script]);
    match tmpdir {
        Some(folder) => command.env("TMPDIR", folder),
        None => command.env_remove("TMPDIR"),
    };
    command.output().unwrap()
}

#[test]
fn the_folder_goes_with_the_command_and_the_exit_code_stays() {
    let output =
        in_memory(r#"echo "$TMPDIR"; echo data > "${TMPDIR:-/tmp}/flash-sale-in-memory"; exit 3"#, None);

    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let folder = String::from_utf8(output.stdout).unwrap();
    let folder = folder.trim();
    // Where there is no room in memory, the tests work where temporary files usually are.
    if folder.is_empty() {
        std::fs::remove_file("/tmp/flash-sale-in-memory").unwrap();
    } else {
        assert!(folder.starts_with("/dev/shm/flash-sale-tests."), "{folder}");
        assert!(!Path::new(folder).exists(), "{folder} is left behind");
    }
}

#[test]
fn a_folder_that_was_chosen_is_taken() {
    let output = in_memory(r#"printf %s "$TMPDIR""#, Some("/tmp/chosen"));

    assert_eq!(String::from_utf8(output.stdout).unwrap(), "/tmp/chosen");
}
