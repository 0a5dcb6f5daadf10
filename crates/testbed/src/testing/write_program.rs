//! Writes a program that a test makes itself.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a script that can be run at once. Another process writes it. If this process wrote it, a child that another
/// test is just starting might also have the file open for writing. The system refuses to run such a file (ETXTBSY).
///
/// # Panics
/// When it can't be written.
pub fn write_program(path: &Path, script: &str) {
    let mut writer = Command::new("tee")
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("every system has tee");
    writer.stdin.take().expect("it is piped").write_all(script.as_bytes()).expect("tee reads it");
    assert!(writer.wait().expect("it is our child").success(), "{}", path.display());
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is our file");
}
