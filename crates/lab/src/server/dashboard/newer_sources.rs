//! Finds the shop's sources that changed after its program was built. It compares times, as cargo does, and runs nothing:
//! a page asks once a second. `make check` builds, and knows for sure.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::build::sources::is_source;

/// What goes into the shop's program. The lab's crates don't. `Cargo.toml` is not looked at: many an edit of it changes
/// nothing of the shop, and then cargo leaves the program as it is.
const OF_SHOP: [&str; 6] = [
    "crates/core/src",
    "crates/http-guard/src",
    "crates/repositories/src",
    "crates/services/src",
    "crates/web/src",
    "templates",
];
/// The dashboard's templates are not the shop's.
const NOT_OF_SHOP: &str = "templates/lab";
/// So many are named.
const NAMED: usize = 3;

/// The first of these sources, by their paths in the project's folder.
pub(super) fn than(program: &Path) -> Vec<String> {
    let built_at = program.metadata().and_then(|file| file.modified());
    let Ok(built_at) = built_at else { return Vec::new() };
    let mut newer = Vec::new();
    for name in OF_SHOP {
        find(Path::new(name), built_at, &mut newer);
    }
    newer
}

fn find(path: &Path, built_at: SystemTime, newer: &mut Vec<String>) {
    if newer.len() == NAMED || path == Path::new(NOT_OF_SHOP) {
        return;
    }
    let Ok(file) = path.symlink_metadata() else { return };
    if file.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().for_each(|path| find(path, built_at, newer));
    } else if is_source(path) && file.modified().is_ok_and(|changed_at| changed_at > built_at) {
        newer.push(path.display().to_string());
    }
}
