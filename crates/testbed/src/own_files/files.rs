//! Files of the lab: made, opened, given away and removed, and never reached through a link.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::handles::{open_folder, refused, set_mode};
use crate::guard::User;

const PRIVATE_FILE: u32 = 0o600;
/// Longer than any file that is read whole: passwords, PostgreSQL's PID file.
const LONGEST_TEXT: u64 = 64 * 1024;

/// Makes a new file in a folder, and replaces the one that was there. Only its owner can read it.
///
/// # Errors
/// When the system refuses.
pub fn create(folder: &Path, name: &str, owner: Option<User>) -> io::Result<File> {
    let folder = open_folder(folder)?;
    match unlinkat(&folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(openat(&folder, name, flags, Mode::from_raw_mode(PRIVATE_FILE as _))?);
    set_mode(&file, PRIVATE_FILE)?;
    if let Some(user) = owner {
        fchown(&file, Some(user.uid), Some(user.gid))?;
    }
    Ok(file)
}

/// Gives an open file to `user`, who owns the folder that it is in. No file there may be root's.
///
/// # Errors
/// When the file belongs to somebody else, or the system refuses.
pub fn give_file(file: &File, user: User) -> io::Result<()> {
    let owner = file.metadata()?.uid();
    if owner == user.uid {
        return Ok(());
    }
    if owner != geteuid().as_raw() {
        return Err(refused("it belongs to somebody else"));
    }
    fchown(file, Some(user.uid), Some(user.gid))
}

/// Gives a file that root has just opened or made to the user who owns the folder.
///
/// # Errors
/// When the system refuses.
pub fn leave_to_owner_of(folder: &Path, file: &File) -> io::Result<()> {
    let owner = fs::symlink_metadata(folder)?;
    if !geteuid().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    give_file(file, User { uid: owner.uid(), gid: owner.gid() })
}

/// Opens a file to append to it, and makes it if there is none. The file may be truncated while a process writes to it.
///
/// # Errors
/// When it is a link or no file, or can't be made or written.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.create(true).append(true).read(true).mode(PRIVATE_FILE);
    let file = plain_file(options.custom_flags(no_surprise()).open(path).map_err(in_words)?)?;
    set_mode(&file, PRIVATE_FILE)?;
    Ok(file)
}

/// Opens a file to read it.
///
/// # Errors
/// When it is a link or no file, or can't be read.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    plain_file(OpenOptions::new().read(true).custom_flags(no_surprise()).open(path).map_err(in_words)?)
}

/// Reads what is in a file.
///
/// # Errors
/// When it is a link or no file, or can't be read.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    read(open_to_read(path)?)
}

/// Reads what is in a file of a folder that is open. It makes no difference what somebody puts in the place
/// of that folder meanwhile.
///
/// # Errors
/// The same as those of [`read_to_string`].
pub fn read_in(folder: &File, name: &str) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::empty()).map_err(|error| in_words(error.into()))?;
    read(plain_file(File::from(file))?)
}

/// Removes a file of a folder that is open.
///
/// # Errors
/// When the system refuses.
pub fn remove_in(folder: &File, name: &str) -> io::Result<()> {
    Ok(unlinkat(folder, name, AtFlags::empty())?)
}

fn read(file: File) -> io::Result<String> {
    let mut text = String::new();
    file.take(LONGEST_TEXT).read_to_string(&mut text)?;
    Ok(text)
}

/// Refuses what is no file: at a pipe, we would wait for the user who has put it there. A file of another user is
/// refused too, because that user may lock, read or change it. Root works in PostgreSQL's folder, and may use the files
/// of PostgreSQL's user there. Root may use none with a second name: it could be a name of root's own password file.
fn plain_file(file: File) -> io::Result<File> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(refused("it is no file: somebody has put something else in its place. Remove it"));
    }
    let own = geteuid();
    if !own.is_root() && metadata.uid() != own.as_raw() {
        return Err(Errno::ACCESS.into());
    }
    if own.is_root() && metadata.nlink() > 1 {
        return Err(refused("it has a second name (a hard link). Put a copy in its place: cp -p"));
    }
    Ok(file)
}

/// Says that a file is a link. The system's own words for that are "too many levels of symbolic links".
fn in_words(error: io::Error) -> io::Error {
    if error.raw_os_error() != Some(Errno::LOOP.raw_os_error()) {
        return error;
    }
    refused("it is a link: somebody has put it in the place of a file. Remove it")
}

/// Opens no link, and doesn't wait at a pipe that nobody writes to.
fn no_surprise() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}
