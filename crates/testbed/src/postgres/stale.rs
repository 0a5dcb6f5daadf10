//! Removes a `postmaster.pid` that a killed server left behind, or that came with a copy of its folder. PostgreSQL
//! itself refuses to start when any process has the number in this file. That process may be a zombie, or a stranger
//! that got the number since, or the server of the folder that this one was copied from.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use rustix::process::{Pid, test_kill_process};

use crate::own_files::{open_folder, read_in, remove_in};

/// The file in PostgreSQL's data folder.
const PID_FILE: &str = "postmaster.pid";

/// Removes the file when the process with its number works elsewhere. Call it with the cluster's lock held: then no
/// server that we started is running. The data may be another user's, so the folder is held open: then nothing else
/// than its file can be removed. When there is no such process, the file stays. PostgreSQL finds that out itself, and
/// looks whether sessions of the old server are still there.
///
/// # Errors
/// When a server that somebody else started runs in this folder.
pub(super) fn remove_stale_pid_file(data: &Path) -> anyhow::Result<()> {
    let folder = open_folder(data).with_context(|| format!("can't open {}", data.display()))?;
    let path = data.join(PID_FILE);
    let text = match read_in(&folder, PID_FILE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text.with_context(|| format!("can't read {}", path.display()))?,
    };
    let pid = text.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
    let Some(pid) = pid.filter(|pid| test_kill_process(*pid) != Err(rustix::io::Errno::SRCH)) else {
        return Ok(());
    };
    if works_in(pid, &folder) {
        bail!(
            "another PostgreSQL (process {pid}) uses {data}. Stop it: kill -INT {pid}",
            pid = pid.as_raw_nonzero(),
            data = data.display()
        );
    }
    remove_in(&folder, PID_FILE).with_context(|| format!("can't remove {}", path.display()))
}

/// Whether this is the process's working folder. The working folder of a PostgreSQL server is its data folder, from
/// its beginning to its end. A zombie has none. When we can't see the folder, the process is another user's, and no
/// server of ours.
fn works_in(pid: Pid, folder: &File) -> bool {
    let identity = |folder: fs::Metadata| (folder.dev(), folder.ino());
    let working = working_folder(pid).and_then(|working| fs::metadata(working).ok()).map(identity);
    working.is_some() && working == folder.metadata().ok().map(identity)
}

fn working_folder(pid: Pid) -> Option<PathBuf> {
    if Path::new("/proc/self/cwd").exists() {
        // This link is the kernel's own. It leads to the folder itself, whatever its name is by now.
        return Some(Path::new("/proc").join(pid.as_raw_nonzero().to_string()).join("cwd"));
    }
    // There is no /proc here (macOS).
    let number = pid.as_raw_nonzero().to_string();
    let output = Command::new("lsof").args(["-a", "-p", &number, "-d", "cwd", "-F", "n"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().find_map(|line| line.strip_prefix('n')).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Stdio};

    use super::*;

    /// The process runs until a line is sent to it.
    fn process_in(folder: &Path) -> Child {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "read -r _"]).current_dir(folder).stdin(Stdio::piped()).spawn().unwrap()
    }

    fn pid_file(folder: &Path, process: &Child) -> PathBuf {
        let path = folder.join("postmaster.pid");
        // The second line is what a copied file has: it names the folder that the file was copied from.
        fs::write(&path, format!("{}\n/elsewhere/data\n", process.id())).unwrap();
        path
    }

    #[test]
    fn only_who_works_in_the_folder_keeps_it() {
        let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut here, mut elsewhere) = (process_in(data.path()), process_in(other.path()));

        let path = pid_file(data.path(), &here);
        let error = remove_stale_pid_file(data.path()).unwrap_err().to_string();
        assert!(error.ends_with(&format!("Stop it: kill -INT {}", here.id())), "{error}");
        assert!(path.exists());

        let path = pid_file(data.path(), &elsewhere);
        remove_stale_pid_file(data.path()).unwrap();
        assert!(!path.exists());

        for process in [&mut here, &mut elsewhere] {
            drop(process.stdin.take());
        }
        elsewhere.wait().unwrap();
        // The process is a zombie as long as nobody has waited for it.
        let path = pid_file(data.path(), &here);
        while fs::read_link(format!("/proc/{}/cwd", here.id())).is_ok() {
            std::thread::yield_now();
        }
        remove_stale_pid_file(data.path()).unwrap();
        assert!(!path.exists());
        here.wait().unwrap();

        // Here the file stays: PostgreSQL itself removes it, more carefully.
        let path = pid_file(data.path(), &elsewhere);
        remove_stale_pid_file(data.path()).unwrap();
        assert!(path.exists());
    }
}
