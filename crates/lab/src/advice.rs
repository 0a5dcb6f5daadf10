//! An error in words for a person, and what to do where the system's own words don't say it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Error;
use flash_sale_testbed::open_files;
use flash_sale_testbed::reason::told;
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::project::STATE;

/// What failed and why, as [`told`] says it. If the system's own words don't say what to do, advice follows.
pub fn told_with_advice(error: &Error) -> String {
    let told = told(error);
    let of_system = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error());
    let advice = match of_system.map(Errno::from_raw_os_error) {
        Some(error) => advice(error),
        // The error stands in the words of a program that we have started.
        None => {
            ADVISED.into_iter().find(|(_, words)| told.contains(words)).and_then(|(error, _)| advice(error))
        }
    };
    match advice {
        Some(advice) => format!("{told}\n{advice}"),
        None => told,
    }
}

/// The errors that we look for in a program's words, as the C library calls them.
const ADVISED: [(Errno, &str); 4] = [
    (Errno::NOSPC, "No space left on device"),
    (Errno::DQUOT, "Disk quota exceeded"),
    (Errno::ROFS, "Read-only file system"),
    (Errno::MFILE, "Too many open files"),
];

fn advice(error: Errno) -> Option<String> {
    match error {
        Errno::ACCESS | Errno::PERM => whose(Path::new(STATE)),
        Errno::ROFS => {
            let copy = "cp -R . ~/flash-sale && cd ~/flash-sale";
            Some(format!("This folder can only be read. Work in a copy of it: {copy}"))
        }
        Errno::NOSPC | Errno::DQUOT => {
            Some("The disk is full. See how full: df -h . Make room, then: make run".to_owned())
        }
        Errno::MFILE => Some(open_files::advice()),
        _ => None,
    }
}

/// What to do when another user has run the lab in this project: only that user, or root, can give the files back.
fn whose(state: &Path) -> Option<String> {
    let own = geteuid().as_raw();
    let entries = fs::read_dir(state).into_iter().flatten().flatten().map(|entry| entry.path());
    let owners = [state.to_owned()].into_iter().chain(entries).filter_map(|path| {
        let owner = fs::symlink_metadata(&path).ok()?.uid();
        (owner != own).then_some((path, owner))
    });
    let (path, owner) = owners.min_by_key(|(path, _)| path.components().count())?;
    let is_all = path == state;
    let (path, name, me) = (path.display(), name_of(owner), name_of(own));
    if own == 0 {
        // The files in it may belong to PostgreSQL's user.
        return is_all.then(|| format!(
            "{path} belongs to {name}, and you are root. As root, the shop writes nothing into the folder of another user. \
             Work as {name}: sudo -u {name} make run"
        ));
    }
    let target = std::env::current_exe().ok().and_then(|program| foreign_parent(&program, own));
    let target = target.map(|target| format!(" {}", target.display())).unwrap_or_default();
    Some(format!(
        "{path} belongs to {name}, and you are {me}: make was run here as another user. To make all of it yours:\n  \
         sudo make stop; sudo chown -R {me} {}{target}",
        state.display()
    ))
}

/// The folder that cargo builds into, if it belongs to another user.
fn foreign_parent(program: &Path, own: u32) -> Option<PathBuf> {
    let folder = program.ancestors().nth(2)?;
    (fs::metadata(program).ok()?.uid() != own).then(|| folder.to_owned())
}

fn name_of(user: u32) -> String {
    let number = user.to_string();
    let output = Command::new("id").args(["-un", &number]).stderr(Stdio::null()).output().ok();
    let name = output.filter(|output| output.status.success()).map(|output| output.stdout);
    let name = name.map(|name| String::from_utf8_lossy(&name).trim().to_owned());
    name.filter(|name| !name.is_empty()).unwrap_or(number)
}
