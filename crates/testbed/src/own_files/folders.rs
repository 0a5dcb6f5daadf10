//! Folders of the lab: made with their modes, and given to PostgreSQL's user.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use anyhow::Context;
use rustix::io::Errno;
use rustix::process::geteuid;

use super::handles::{open_folder, refused, set_mode};
use crate::guard::User;

const PRIVATE_FOLDER: u32 = 0o700;

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

/// Makes a folder as [`make_folder`] does, and refuses one that is not ours as [`require_ours`] does.
///
/// # Errors
/// When it can't be made, or is somebody else's. The error names the folder.
pub fn make_our_folder(path: &Path, mode: u32) -> anyhow::Result<()> {
    make_folder(path, mode).with_context(|| format!("can't make {}", path.display()))?;
    require_ours(path).with_context(|| format!("can't use {}", path.display()))
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
