//! Finds who holds a lock on a file, for messages. The lock itself doesn't say.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{major, minor};

/// Says which process has locked the file, and what to type. `None` when the kernel doesn't say (macOS has no
/// /proc), or when the lock is free by now.
pub fn of(file: &File, path: &Path) -> Option<String> {
    let pid = pid_of(file)?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name = if name.is_empty() {
        "it has ended; its children hold it".to_owned()
    } else {
        name.trim().to_owned()
    };
    Some(format!(
        "Process {pid} ({name}) has locked it. See which hold it: fuser -v {path}. If none of them is yours: kill {pid}",
        path = path.display()
    ))
}

/// The process id in a line like "1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF".
fn pid_of(file: &File) -> Option<u32> {
    let metadata = file.metadata().ok()?;
    let device = metadata.dev();
    let wanted = format!("{:02x}:{:02x}:{}", major(device), minor(device), metadata.ino());
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let holds = |line: &str| line.contains("FLOCK") && line.split_whitespace().any(|field| field == wanted);
    let line = locks.lines().find(|line| holds(line) && !line.contains("->"))?;
    line.split_whitespace().nth(4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_a_lock_is_named_with_what_to_type() {
        if !Path::new("/proc/locks").exists() {
            return eprintln!("skipped: this system doesn't say who holds locks");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lab.lock");
        let (holder, other) = (File::create(&path).unwrap(), File::create(&path).unwrap());
        assert_eq!(of(&other, &path), None);

        holder.try_lock().unwrap();

        let said = of(&other, &path).unwrap();
        let own = std::process::id();
        assert!(said.starts_with(&format!("Process {own} (")), "{said}");
        assert!(said.ends_with(&format!("If none of them is yours: kill {own}")), "{said}");
    }
}
