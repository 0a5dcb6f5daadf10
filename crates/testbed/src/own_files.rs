//! The lab's own files and folders. Nobody else may read them, whatever the umask is, and they are never reached
//! through a link. Where PostgreSQL runs as another user, its folder belongs to that user. While root works there, that
//! user could replace any file by a link, by a pipe, or by another name of root's own file. So a file there is opened
//! first, as a handle, and looked at. Only then is it given away, used or removed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::guard::User;

const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;
/// Longer than any file that is read whole: passwords, PostgreSQL's PID file.
const LONGEST_TEXT: u64 = 64 * 1024;

/// The mode of a folder that leads to ours. Others can't see what is in it. When we are root, others may pass through
/// it, because PostgreSQL's user must.
pub fn mode_on_the_way() -> u32 {
    if geteuid().is_root() { 0o711 } else { PRIVATE_FOLDER }
}

/// Makes a folder if there is none, and gives it this mode if it is ours. The folders above it must be there.
///
/// # Errors
/// When it can't be made.
pub fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    match fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    match open_folder(path) {
        Ok(folder) => set_mode(&folder, mode),
        // It is a link that somebody has put there on purpose, or a folder of somebody else. The function that needs
        // the folder says what is wrong with it.
        Err(_) => Ok(()),
    }
}

/// Does the same as [`make_folder`]. Before that, it makes the missing folders above, with the mode of folders that
/// lead to ours.
///
/// # Errors
/// When one of them can't be made.
pub fn make_folders(path: &Path, mode: u32) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.exists()) {
        make_folders(parent, mode_on_the_way())?;
    }
    make_folder(path, mode)
}

/// Refuses what another user has put in the place of a folder of ours. The folder may be a link of ours to a folder of
/// ours: some people keep the data on another disk.
///
/// # Errors
/// When the folder is somebody else's, or leads to one that is.
pub fn require_ours(path: &Path) -> io::Result<()> {
    let own = geteuid().as_raw();
    if fs::symlink_metadata(path)?.uid() == own && fs::metadata(path)?.uid() == own {
        return Ok(());
    }
    // These are the system's words. There is advice for them.
    Err(Errno::ACCESS.into())
}

/// Gives a folder to PostgreSQL's user: only `user` gets into it.
///
/// # Errors
/// When the folder belongs to neither us nor `user`, or the system refuses.
pub fn give_folder(path: &Path, user: User) -> io::Result<()> {
    let folder = open_folder(path)?;
    let owner = folder.metadata()?.uid();
    if owner != geteuid().as_raw() && owner != user.uid {
        return Err(refused("it belongs to somebody else"));
    }
    fchown(&folder, Some(user.uid), Some(user.gid))?;
    folder.set_permissions(fs::Permissions::from_mode(PRIVATE_FOLDER))
}

/// Takes back a folder that was given to `user`.
///
/// # Errors
/// When the system refuses.
pub fn take_folder_back(path: &Path, user: User) -> io::Result<()> {
    let folder = open_folder(path)?;
    if folder.metadata()?.uid() == user.uid {
        fchown(&folder, Some(geteuid().as_raw()), Some(rustix::process::getegid().as_raw()))?;
    }
    Ok(())
}

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

fn refused(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

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
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    let metadata = file.metadata()?;
    if metadata.uid() != geteuid().as_raw() || metadata.mode() & 0o7777 == mode {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
}

fn no_link() -> i32 {
    OFlags::NOFOLLOW.bits().cast_signed()
}

/// Opens no link, and doesn't wait at a pipe that nobody writes to.
fn no_surprise() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn what_is_there_with_another_mode_gets_the_right_one() {
        let folder = tempfile::tempdir().unwrap();
        let (log, inner) = (folder.path().join("log"), folder.path().join("a/b"));
        make_folders(&inner, 0o755).unwrap();
        drop(open_to_append(&log).unwrap());
        for path in [&log, &inner] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        }

        make_folders(&inner, 0o755).unwrap();
        drop(open_to_append(&log).unwrap());

        assert_eq!((mode(&log), mode(&inner)), (0o600, 0o755));
        assert_eq!(mode(inner.parent().unwrap()), mode_on_the_way());
    }

    #[test]
    fn a_link_is_neither_written_through_nor_given_away_nor_read() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("theirs"), folder.path().join("link"));
        fs::write(&file, "kept").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        symlink(&file, &link).unwrap();
        let inner = folder.path().join("folder");
        symlink(folder.path(), &inner).unwrap();

        assert!(open_to_append(&link).is_err() && read_to_string(&link).is_err());
        assert!(open_folder(&inner).is_err());
        create(folder.path(), "link", None).unwrap().write_all(b"new").unwrap();

        assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
        assert_eq!((read_to_string(&link).unwrap().as_str(), mode(&link)), ("new", 0o600));
        assert_eq!(mode(&file), 0o644);
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_given_to_a_third() {
        if !geteuid().is_root() {
            return eprintln!("skipped: only root can give folders away");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folder");
        make_folder(&path, 0o755).unwrap();
        let (one, other) = (User { uid: 4711, gid: 4711 }, User { uid: 4712, gid: 4712 });

        give_folder(&path, one).unwrap();
        give_folder(&path, one).unwrap();
        assert!(give_folder(&path, other).is_err());

        assert_eq!((fs::metadata(&path).unwrap().uid(), mode(&path)), (4711, 0o700));
        take_folder_back(&path, other).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().uid(), 4711);
        take_folder_back(&path, one).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().uid(), 0);
    }
}
