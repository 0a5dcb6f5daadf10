//! A folder that is open, as a handle; the mode of what is open; and the refusal of what is not ours.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;

/// Opens a folder, as a handle.
///
/// # Errors
/// When it is a link or no folder, or when it is somebody else's.
pub fn open_folder(path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY.bits().cast_signed() | no_link();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Sets the mode of a file or a folder of ours, whatever an earlier version or the umask has made of it. Modes of what
/// isn't ours stay.
pub(super) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    let metadata = file.metadata()?;
    if metadata.uid() != geteuid().as_raw() || metadata.mode() & 0o7777 == mode {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
}

pub(super) fn refused(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

fn no_link() -> i32 {
    OFlags::NOFOLLOW.bits().cast_signed()
}
