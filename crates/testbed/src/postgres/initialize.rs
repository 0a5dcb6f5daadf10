//! Makes a cluster's data folder: `initdb`, with a password of its own.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use uuid::Uuid;

use super::cluster_files::ClusterFiles;
use super::place::Place;
use super::settings::{ClusterSettings, Durability};
use crate::guard::{GuardedCommand, Signal, User};
use crate::log_file;
use crate::own_files;

/// Makes the data folder when there is none. Call it with the cluster's lock held.
///
/// # Errors
/// When `initdb` fails. The error holds the end of what it said.
pub async fn initialize(files: &ClusterFiles, settings: &ClusterSettings, log: &File) -> anyhow::Result<()> {
    if files.major_version().is_some() {
        return mend_copied(&files.data(), files.place.user);
    }
    // The folder is made under another name and then renamed: an initdb that was killed half-way leaves nothing
    // that looks finished.
    let unfinished = files.place.folder.join("data.unfinished");
    for leftover in [&unfinished, &files.data()] {
        // When this is a link, only the link is removed, and nothing that it leads to.
        if leftover.symlink_metadata().is_ok() {
            fs::remove_dir_all(leftover).with_context(|| format!("can't remove {}", leftover.display()))?;
        }
    }
    write_password(&files.password(), &files.place)?;

    let mut initdb = GuardedCommand::new(settings.programs.initdb())
        .args(["-U", "postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"])
        .args([Path::new("-D"), &unfinished, Path::new("--pwfile"), &files.password()])
        .directory("/")
        .user(files.place.user)
        .stop_with(Signal::TERM, Duration::from_secs(5));
    if settings.durability == Durability::Disposable {
        initdb = initdb.args(["--no-sync"]);
    }
    if settings.remove_afterwards {
        initdb = initdb.remove_on_failure(&files.place.folder);
    }
    let log_start = log.metadata()?.len();
    let status = initdb.start(log.try_clone()?).await?.wait().await?;
    ensure!(status.success(), "initdb failed:\n{}", log_file::tail_after(&files.log(), log_start, 5));
    fs::rename(&unfinished, files.data())?;
    Ok(())
}

/// PostgreSQL accepts its data folder only when nobody else gets into it. A copy that was made without `cp -a`
/// may be open to others.
fn mend_copied(data: &Path, user: Option<User>) -> anyhow::Result<()> {
    let folder = own_files::open_folder(data).with_context(|| format!("can't open {}", data.display()))?;
    let owner = folder.metadata()?.uid();
    if let Some(user) = user.filter(|user| user.uid != owner) {
        let data = data.display();
        bail!(
            "{data} belongs to user {owner}, and PostgreSQL runs as user {user} here: was it copied without its \
             owners? Copy it with cp -a. Or: chown -R {user} {data}",
            user = user.uid
        );
    }
    if folder.metadata()?.mode() & 0o027 != 0 {
        folder.set_permissions(fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Reads the password of the shop's role. A cluster that an earlier version made has none. Then the password is
/// made here, and the migration makes the role.
///
/// # Errors
/// When the file can't be read or made.
pub(super) fn read_shop_password(files: &ClusterFiles) -> anyhow::Result<String> {
    let path = files.shop_password();
    if path.symlink_metadata().is_err() {
        write_password(&path, &files.place)?;
    }
    own_files::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))
}

/// Writes a new password into a file that only its owner can read.
fn write_password(path: &Path, place: &Place) -> anyhow::Result<()> {
    let name = path.file_name().and_then(OsStr::to_str).expect("the names of our files are texts");
    let file = own_files::create(&place.folder, name, place.user);
    let written = file.and_then(|mut file| write!(file, "{}", Uuid::new_v4().simple()));
    written.with_context(|| format!("can't write {}", path.display()))
}
