//! Finds sources that were put in place with the time of another moment: a backup that was moved back, or a submission
//! that was unpacked over an earlier build. Cargo compares only this time with the time of its last build. So it would
//! take what it has built from another text.

use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::sources::{WATCHED, is_source};

/// Some file systems keep times in steps of two seconds.
const STEP_SECONDS: i64 = 2;

/// Gives each such source the present time, and returns these sources. A source that can't be given this time belongs
/// to another user, and is left alone.
pub fn touch_sources(root: &Path) -> Vec<PathBuf> {
    let mut touched = Vec::new();
    for name in WATCHED {
        // Cargo can't build a file that can't be looked at.
        let _ = touch_below(root, Path::new(name), &mut touched);
    }
    touched
}

fn touch_below(root: &Path, below: &Path, touched: &mut Vec<PathBuf>) -> io::Result<()> {
    let path = root.join(below);
    if path.symlink_metadata()?.is_dir() {
        for entry in fs::read_dir(&path)? {
            touch_below(root, &below.join(entry?.file_name()), touched)?;
        }
    } else if is_source(below) && was_put_back(&path)? {
        let now = SystemTime::now();
        let file = File::options().write(true).open(&path);
        match file.and_then(|file| file.set_times(FileTimes::new().set_modified(now))) {
            Ok(()) => touched.push(below.to_owned()),
            Err(error) => log::debug!("{}: {error}", below.display()),
        }
    }
    Ok(())
}

/// Whether the file's time is that of another moment. Writing a file sets both of its times. Only the system can set
/// the second one (ctime): it is when the file got its name or its content, whatever the first one (mtime) says.
fn was_put_back(path: &Path) -> io::Result<bool> {
    let file = path.metadata()?;
    Ok((file.ctime() - file.mtime()).abs() > STEP_SECONDS)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_a_source_with_a_time_of_another_moment_gets_the_present_one() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("crates/shop/src");
        fs::create_dir_all(&source).unwrap();
        let now = SystemTime::now();
        let written = |name: &str, time: Option<SystemTime>| {
            let path = source.join(name);
            let file = File::create(&path).unwrap();
            if let Some(time) = time {
                file.set_times(FileTimes::new().set_modified(time)).unwrap();
            }
            path
        };
        let hour = Duration::from_secs(3600);
        let usual = written("usual.rs", None);
        let before = usual.metadata().unwrap().modified().unwrap();
        let (old, future) = (written("old.rs", Some(now - hour)), written("future.rs", Some(now + hour)));
        let other = written("backup.rs~", Some(now - hour));

        let mut touched = touch_sources(folder.path());
        touched.sort();
        assert_eq!(touched, ["crates/shop/src/future.rs", "crates/shop/src/old.rs"].map(PathBuf::from));

        let modified = |path: &Path| path.metadata().unwrap().modified().unwrap();
        assert_eq!(modified(&usual), before);
        assert_eq!(modified(&other), now - hour, "no source");
        let a_minute = Duration::from_secs(60);
        for path in [old, future] {
            let away = modified(&path).duration_since(now).unwrap_or_else(|earlier| earlier.duration());
            assert!(away < a_minute, "{} is {away:?} away", path.display());
            assert!(!was_put_back(&path).unwrap());
        }
    }
}
