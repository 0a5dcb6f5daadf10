//! A `postmaster.pid` that a killed server left behind. PostgreSQL itself refuses to start when the process
//! of that number lives, and a zombie, or a stranger that got the number since, counts for it.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use rustix::process::{Pid, test_kill_process};

/// Removes the file when its server is gone. Call it with the cluster's lock held: then no server that we
/// started is running.
///
/// # Errors
/// When a server runs that somebody else started.
pub(super) fn remove_stale_pid_file(data: &Path) -> anyhow::Result<()> {
    let path = data.join("postmaster.pid");
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text.with_context(|| format!("can't read {}", path.display()))?,
    };
    let pid = text.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid.filter(|pid| is_postgres(*pid)) {
        bail!(
            "another PostgreSQL (process {pid}) uses {data}. Stop it: kill -INT {pid}",
            pid = pid.as_raw_nonzero(),
            data = data.display()
        );
    }
    fs::remove_file(&path).with_context(|| format!("can't remove {}", path.display()))
}

fn is_postgres(pid: Pid) -> bool {
    if test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
        return false;
    }
    let number = pid.as_raw_nonzero().to_string();
    // "1234 (postgres) S …"; a zombie's state is Z.
    if let Ok(stat) = fs::read_to_string(Path::new("/proc").join(&number).join("stat")) {
        return stat.contains("(postgres)") && !stat.contains(") Z ");
    }
    // Where there is no /proc (macOS).
    let output = Command::new("ps").args(["-o", "stat=,comm=", "-p", &number]).output();
    output.is_ok_and(|output| {
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        text.ends_with("postgres") && !text.starts_with('Z')
    })
}
