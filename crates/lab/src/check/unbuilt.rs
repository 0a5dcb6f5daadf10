//! Finds an edit that the running shop doesn't have yet: whoever forgets to rebuild would judge the old shop.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::control::Status;

/// What the shop's binary is made of.
const SOURCES: [&str; 5] =
    ["crates/core/src", "crates/repositories/src", "crates/services/src", "crates/web/src", "templates"];

/// A file of the shop that was changed after the last replica had started, or after its binary was built, if
/// there is one: a race replaces the replicas without building them.
pub fn find_edit(status: &Status) -> Option<PathBuf> {
    let started =
        status.replicas.iter().filter_map(|replica| Some(replica.process.as_ref()?.started_at)).max()?;
    let since = built().map_or(started, |built| built.min(started));
    SOURCES.iter().find_map(|folder| find_newer(Path::new(folder), since))
}

/// When the binary of the replicas was written, in seconds since 1970.
fn built() -> Option<u64> {
    let binary = std::env::current_exe().ok()?.with_file_name("flash-sale-web");
    changed_at(&binary)
}

/// A file below `folder` that was changed after `time`, in seconds since 1970.
fn find_newer(folder: &Path, time: u64) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).find_map(|path| {
        if path.is_dir() {
            return find_newer(&path, time);
        }
        (changed_at(&path)? > time).then_some(path)
    })
}

fn changed_at(path: &Path) -> Option<u64> {
    let changed = path.metadata().ok()?.modified().ok()?;
    Some(changed.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_a_file_that_is_newer_is_found_at_any_depth() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api/orders.rs");
        fs::create_dir(folder.path().join("api")).unwrap();
        let file = File::create(&path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1000)).unwrap();

        assert_eq!(find_newer(folder.path(), 999), Some(path));
        assert_eq!(find_newer(folder.path(), 1000), None);
    }
}
