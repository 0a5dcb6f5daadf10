//! Tells one build of a program from another, without reading all of it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What the file system says of a program's file. A build writes a new file, which differs in this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramFile {
    inode: u64,
    bytes: u64,
    /// The time of the last change: seconds since 1970, and nanoseconds.
    modified: (i64, i64),
}

impl ProgramFile {
    /// Describes the file that is there now.
    ///
    /// # Errors
    /// When there is no file.
    pub fn at(path: &Path) -> io::Result<Self> {
        let file = path.metadata()?;
        Ok(Self { inode: file.ino(), bytes: file.size(), modified: (file.mtime(), file.mtime_nsec()) })
    }
}
