//! Which of the project's files go into a build.

use std::path::Path;

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
