//! Removes from a copy what an earlier league has put there, and what is no part of the project any more. Cargo would
//! still find it: each file in a folder `tests`, and each folder in `crates`, is something to build.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// What a copy has beside its sources: what cargo builds, and what its shop keeps.
const NO_SOURCES: [&str; 2] = ["target", ".flash-sale"];

/// Removes the files of this copy that are none of `sources`, and folders without files.
///
/// # Errors
/// When something can't be read or removed.
pub fn remove_left_over(copy: &Path, sources: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    remove_in(copy, Path::new(""), sources)
}

fn remove_in(copy: &Path, folder: &Path, sources: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    let path = copy.join(folder);
    for entry in fs::read_dir(&path).with_context(|| format!("can't read {}", path.display()))? {
        let entry = entry?;
        let (name, path) = (folder.join(entry.file_name()), entry.path());
        if NO_SOURCES.iter().any(|own| name == Path::new(own)) || sources.contains(&name) {
            continue;
        }
        let removed = || format!("can't remove {}", path.display());
        if entry.file_type()?.is_dir() {
            remove_in(copy, &name, sources)?;
            if fs::read_dir(&path)?.next().is_none() {
                fs::remove_dir(&path).with_context(removed)?;
            }
        } else {
            fs::remove_file(&path).with_context(removed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_source_any_more_is_removed_and_what_was_built_stays() {
        let copy = tempfile::tempdir().unwrap();
        let files = [
            "Cargo.toml",
            "crates/shop/src/lib.rs",
            "crates/shop/tests/removed.rs",
            "crates/moved/src/deep/lib.rs",
            "target/debug/shop",
            ".flash-sale/logs/shop.log",
        ];
        for name in files {
            let path = copy.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let sources = ["Cargo.toml", "crates/shop/src/lib.rs"].map(PathBuf::from);

        remove_left_over(copy.path(), &BTreeSet::from(sources)).unwrap();

        let is_there = files.map(|name| copy.path().join(name).exists());
        assert_eq!(is_there, [true, true, false, false, true, true]);
        assert!(
            !copy.path().join("crates/moved").exists() && !copy.path().join("crates/shop/tests").exists()
        );
    }
}
