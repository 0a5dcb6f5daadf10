//! Where PostgreSQL may live, and which user it runs as. It refuses to run as root, and its user must be able to reach
//! its folder. That user can't reach a checkout in root's home, which is closed to others.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use rustix::process::geteuid;

use crate::guard::User;
use crate::own_files::{give_folder, make_folders, mode_on_the_way, require_ours, take_folder_back};
use crate::reason::told;

/// Where the folder goes when the server can't reach its own place.
const FALLBACK: &str = "/var/lib/flash-sale";

/// A folder for the server, and the user that the server runs as.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder. It exists, and `user` can write in it.
    pub folder: PathBuf,
    /// `None` when the server runs as ourselves.
    pub user: Option<User>,
}

/// Gives `wanted` to the server. When the server's user can't reach it, it gives the server a folder under /var/lib
/// that belongs to `wanted` alone. If one of the two holds data already, the data stay there.
///
/// # Errors
/// When neither folder can be made.
pub fn prepare(wanted: &Path) -> anyhow::Result<Place> {
    let wanted = make(wanted, 0o700)?;
    let Some(user) = unprivileged_user()? else {
        require_ours(&wanted).with_context(|| format!("can't use {}", wanted.display()))?;
        return Ok(Place { folder: wanted, user: None });
    };

    let fallback = fallback(&wanted);
    let has_data = |folder: &Path| folder.join("data/PG_VERSION").exists();
    let mut folders = [wanted, fallback];
    if has_data(&folders[1]) && !has_data(&folders[0]) {
        folders.reverse();
    }
    let mut refusals = Vec::new();
    for folder in folders {
        let given =
            make(&folder, 0o700).and_then(|folder| give_folder(&folder, user).map_err(anyhow::Error::from));
        match given {
            Ok(()) if can(user, "-w", &folder)? => return Ok(Place { folder, user: Some(user) }),
            Ok(()) => refusals.push(format!("{}: the user can't reach it", folder.display())),
            Err(error) => refusals.push(format!("{}: {}", folder.display(), told(&error))),
        }
    }
    bail!("PostgreSQL's user has no folder that it can write in:\n{}", refusals.join("\n"))
}

/// Makes a folder for PostgreSQL's programs, which the server's user can run but not change. It is `wanted`. When that
/// user can't reach `wanted`, it is the folder that [`prepare`] would fall back to.
///
/// # Errors
/// When neither folder can be made.
pub fn prepare_for_programs(wanted: &Path) -> anyhow::Result<PathBuf> {
    let wanted = make(wanted, 0o755)?;
    let Some(user) = unprivileged_user()? else {
        remove_foreign(&wanted)?;
        return Ok(wanted);
    };
    let fallback = fallback(&wanted);
    for folder in [wanted, fallback] {
        let folder = make(&folder, 0o755)?;
        // An earlier version gave the folder away.
        take_folder_back(&folder, user).with_context(|| format!("can't take {} back", folder.display()))?;
        remove_foreign(&folder)?;
        if can(user, "-x", &folder)? {
            return Ok(folder);
        }
    }
    bail!("PostgreSQL's user can't reach programs in this folder or in {FALLBACK}")
}

/// Removes programs that others have put into the folder, so that they are never run. The folder may have been open to
/// others, under a permissive umask or an earlier version.
fn remove_foreign(folder: &Path) -> anyhow::Result<()> {
    let refused = || format!("can't use {}", folder.display());
    require_ours(folder).with_context(refused)?;
    for entry in fs::read_dir(folder).with_context(refused)? {
        let path = entry.with_context(refused)?.path();
        if fs::symlink_metadata(&path).is_ok_and(|entry| entry.uid() != geteuid().as_raw()) {
            log::warn!("{} belongs to somebody else, and is removed", path.display());
            let removed = if path.is_dir() && !path.is_symlink() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            removed.with_context(|| format!("can't remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// The folder that [`prepare`] falls back to for `wanted`. The path of `wanted` must be absolute and free of symbolic
/// links.
pub fn fallback(wanted: &Path) -> PathBuf {
    // The hash is FNV-1a. The standard library's hash may change with the compiler, and then the data would be lost.
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = wanted.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
    Path::new(FALLBACK).join(format!("{hash:016x}"))
}

/// Makes a folder, and returns its path without links. PostgreSQL's user can pass through those folders above it that
/// are ours, whatever the umask is or an earlier version has left.
fn make(folder: &Path, mode: u32) -> anyhow::Result<PathBuf> {
    let made = match folder.parent() {
        Some(parent) if parent == Path::new(FALLBACK) => make_folders(parent, mode_on_the_way()),
        _ => Ok(()),
    };
    made.and_then(|()| make_folders(folder, mode))
        .and_then(|()| folder.canonicalize())
        .with_context(|| format!("can't make {}", folder.display()))
}

/// The user for the server. It is `None` when we aren't root: then the server runs as ourselves.
fn unprivileged_user() -> anyhow::Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let (Some(uid), Some(gid)) = (id("-u", name), id("-g", name)) {
            return Ok(Some(User { uid, gid }));
        }
    }
    bail!(
        "PostgreSQL doesn't run as root, and there is no user postgres or nobody. \
         Work as another user, or add one: useradd --system postgres"
    )
}

fn id(option: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([option, name]).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Whether `user` can get into the folder, and the shell's `test` is true of it there. `test` is -w or -x.
fn can(user: User, test: &str, folder: &Path) -> anyhow::Result<bool> {
    let status = Command::new("/bin/sh")
        .args(["-c", r#"cd "$1" && [ "$2" . ]"#, "probe"])
        .arg(folder)
        .arg(test)
        .uid(user.uid)
        .gid(user.gid)
        .current_dir("/")
        .stderr(Stdio::null())
        .status()
        .context("can't start /bin/sh")?;
    Ok(status.success())
}
