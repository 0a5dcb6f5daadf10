//! Gives a copy of the project what cargo has built. So cargo finds the dependencies already built there, and builds
//! only our own crates.

use std::fs::{self, File, FileTimes};
use std::io;
use std::path::Path;

/// Copies a profile's folder. The times of its files are copied, too, because cargo decides by them what is still
/// good. Files that cargo can do without are left out: incremental state and programs.
///
/// # Errors
/// When something can't be read or written.
pub fn copy(profile: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    copy_folder(&profile.join(".fingerprint"), &to.join(".fingerprint"), &|_| true)?;
    // Build scripts are programs, but cargo needs them.
    copy_folder(&profile.join("build"), &to.join("build"), &|_| true)?;
    // Tests and similar programs have no extension, and are left out. A library has one, also a library that the
    // compiler runs.
    copy_folder(&profile.join("deps"), &to.join("deps"), &|file| file.extension().is_some())
}

fn copy_folder(from: &Path, to: &Path, is_wanted: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (from, to) = {
            let entry = entry?;
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() {
            copy_folder(&from, &to, is_wanted)?;
        } else if is_wanted(&from) {
            fs::copy(&from, &to)?;
            let modified = fs::metadata(&from)?.modified()?;
            File::options().write(true).open(&to)?.set_times(FileTimes::new().set_modified(modified))?;
        }
    }
    Ok(())
}
