//! Which of the project's files go into a build.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What goes into a build. `static/` doesn't: its files are served as they are.
pub const WATCHED: [&str; 4] = ["crates", "migration", "templates", "Cargo.toml"];

/// Whether a file goes into a build. An editor's backups, swap files and locks don't.
pub fn is_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with('.') {
        return false;
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    match path.iter().next() {
        Some(first) if first == "Cargo.toml" => true,
        Some(first) if first == "templates" => extension == "html",
        Some(first) => {
            WATCHED.iter().any(|watched| first == *watched) && (extension == "rs" || extension == "toml")
        }
        None => false,
    }
}

/// All files of the project that go into a build, in the order of their names. The paths are relative to `root`.
///
/// # Errors
/// When a folder can't be read.
pub fn all(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for name in WATCHED {
        add_below(root, Path::new(name), &mut sources)?;
    }
    sources.sort();
    Ok(sources)
}

fn add_below(root: &Path, below: &Path, sources: &mut Vec<PathBuf>) -> io::Result<()> {
    match root.join(below).symlink_metadata() {
        Ok(found) if found.is_dir() => {
            for entry in fs::read_dir(root.join(below))? {
                add_below(root, &below.join(entry?.file_name()), sources)?;
            }
        }
        Ok(_) if is_source(below) => sources.push(below.to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_leave_beside_a_file_is_no_source() {
        for source in ["Cargo.toml", "crates/web/src/main.rs", "crates/web/Cargo.toml", "templates/shop.html"]
        {
            assert!(is_source(Path::new(source)), "{source}");
        }
        for other in [
            "README.md",
            "target",
            ".flash-sale",
            "static/shop.css",
            "crates/web",
            "crates/web/src/4913",
            "crates/web/src/.main.rs.swp",
            "crates/web/src/main.rs~",
            "crates/web/src/.#main.rs",
            "crates/web/src/#main.rs#",
            "crates/web/src/main.rs___jb_tmp___",
            "templates/.shop.html.swp",
            "crates/web/src/sedX1b2c3",
        ] {
            assert!(!is_source(Path::new(other)), "{other}");
        }
    }
}
