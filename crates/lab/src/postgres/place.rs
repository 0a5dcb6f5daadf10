//! Where PostgreSQL may live, and as whom. It refuses to run as root, and its user must be able to reach
//! its folder, which is not so in a checkout under root's closed home.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::guard::User;

/// Where a folder goes whose own place the server can't reach.
const FALLBACK: &str = "/var/lib/flash-sale";

/// A folder for the server and the user it runs as.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder; it exists, and `user` can write in it.
    pub folder: PathBuf,
    /// `None`: as ourselves.
    pub user: Option<User>,
}

/// Makes `wanted` the server's, or, where its user can't reach that, a folder under /var/lib that
/// belongs to `wanted` alone.
///
/// # Errors
/// When neither folder can be made.
pub fn prepare(wanted: &Path) -> anyhow::Result<Place> {
    make(wanted)?;
    let wanted = wanted.canonicalize().with_context(|| format!("can't open {}", wanted.display()))?;
    let Some(user) = unprivileged_user()? else {
        return Ok(Place { folder: wanted, user: None });
    };

    let fallback = fallback(&wanted);
    for folder in [wanted, fallback] {
        make(&folder)?;
        chown(&folder, Some(user.uid), Some(user.gid))
            .with_context(|| format!("can't give {} to PostgreSQL's user", folder.display()))?;
        if can_write(&folder, user)? {
            return Ok(Place { folder, user: Some(user) });
        }
    }
    anyhow::bail!("PostgreSQL's user can write neither here nor in {FALLBACK}")
}

/// The folder that [`prepare`] falls back to for `wanted`, which must be absolute and free of symbolic
/// links.
pub fn fallback(wanted: &Path) -> PathBuf {
    // FNV-1a, and not the standard library's hash: that may change with the compiler, and the data be lost.
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = wanted.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
    Path::new(FALLBACK).join(format!("{hash:016x}"))
}

fn make(folder: &Path) -> anyhow::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).with_context(|| format!("can't make {}", parent.display()))?;
    }
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("can't make {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// `None` when we aren't root: then the server runs as ourselves.
fn unprivileged_user() -> anyhow::Result<Option<User>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let (Some(uid), Some(gid)) = (id("-u", name), id("-g", name)) {
            return Ok(Some(User { uid, gid }));
        }
    }
    anyhow::bail!(
        "PostgreSQL doesn't run as root, and there is no user postgres or nobody. \
         Work as another user, or add one: useradd --system postgres"
    )
}

fn id(option: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([option, name]).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn can_write(folder: &Path, user: User) -> anyhow::Result<bool> {
    let status = Command::new("/bin/sh")
        .args(["-c", r#"cd "$1" && [ -w . ]"#, "probe"])
        .arg(folder)
        .uid(user.uid)
        .gid(user.gid)
        .current_dir("/")
        .stderr(Stdio::null())
        .status()
        .context("can't start /bin/sh")?;
    Ok(status.success())
}
