//! What the lab and its replicas use of the machine. A soak compares the use at its beginning with the use at its
//! end.

use std::fs;
use std::process::Command;

use serde::Serialize;

use crate::control::messages::Status;
use crate::shop::database::ShopDatabase;

/// How much the memory may grow. After a burst, an allocator keeps more memory one time than another.
pub const MEMORY_MARGIN_KIB: u64 = 16 * 1024;
/// Besides, the memory may grow by this part of its size at the beginning.
pub const MEMORY_MARGIN_PERCENT: u64 = 25;
/// How many more files may be open at the end. A pool may have its first connections at the beginning, and all of its
/// connections at the end.
pub const FILES_MARGIN: usize = 32;

/// What one process uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// "lab", or the name of the replica.
    pub process: String,
    /// Resident memory.
    pub memory_kib: u64,
    /// Open files and sockets; `None` where the system has no /proc.
    pub files: Option<usize>,
}

/// What all processes use at a moment when nobody buys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// The lab, then the replicas.
    pub processes: Vec<Usage>,
    /// The shop's sessions in the database.
    pub sessions: i64,
}

impl Resources {
    /// Measures what the processes use now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn measure(status: &Status, database: &ShopDatabase) -> anyhow::Result<Self> {
        let replicas =
            status.replicas.iter().filter_map(|replica| usage(&replica.name, replica.process.as_ref()?.pid));
        let processes = usage("lab", status.pid).into_iter().chain(replicas).collect();
        Ok(Self { processes, sessions: database.shop_sessions().await? })
    }

    /// What has grown beyond its margin until `end`, in words. `pool_size` is the size of one replica's pool: the
    /// sessions have not grown as long as no pool is larger than that.
    pub fn growth(&self, end: &Self, pool_size: u32) -> Vec<String> {
        let mut grown = Vec::new();
        for after in &end.processes {
            let Some(before) = self.processes.iter().find(|before| before.process == after.process) else {
                continue;
            };
            let limit = before.memory_kib * (100 + MEMORY_MARGIN_PERCENT) / 100 + MEMORY_MARGIN_KIB;
            if after.memory_kib > limit {
                let (from, to) = (before.memory_kib, after.memory_kib);
                grown.push(format!("memory of {}: {from} KiB, then {to}", after.process));
            }
            if let (Some(from), Some(to)) = (before.files, after.files)
                && to > from + FILES_MARGIN
            {
                grown.push(format!("open files of {}: {from}, then {to}", after.process));
            }
        }
        let replicas = end.processes.len().saturating_sub(1) as i64;
        if end.sessions > self.sessions.max(replicas * i64::from(pool_size)) {
            grown.push(format!("sessions of the shop: {}, then {}", self.sessions, end.sessions));
        }
        grown
    }
}

/// `None` when the process is gone.
fn usage(process: &str, pid: u32) -> Option<Usage> {
    let memory_kib = memory_by_proc(pid).or_else(|| memory_by_ps(pid))?;
    let files = fs::read_dir(format!("/proc/{pid}/fd")).map(Iterator::count).ok();
    Some(Usage { process: process.to_owned(), memory_kib, files })
}

/// For Linux, also where ps is not installed.
fn memory_by_proc(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn memory_by_ps(pid: u32) -> Option<u64> {
    let output = Command::new("ps").args(["-o", "rss=", "-p", &pid.to_string()]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(memory_kib: u64, files: usize, sessions: i64) -> Resources {
        let usage = |process: &str| Usage { process: process.to_owned(), memory_kib, files: Some(files) };
        Resources { processes: vec![usage("lab"), usage("replica-1")], sessions }
    }

    #[test]
    fn growth_is_what_goes_beyond_its_margin() {
        let start = resources(20_000, 30, 4);
        let grown = |end: &Resources| start.growth(end, 10);

        assert!(grown(&resources(20_000 * 5 / 4 + MEMORY_MARGIN_KIB, 62, 10)).is_empty());
        assert_eq!(
            grown(&resources(20_001 * 5 / 4 + MEMORY_MARGIN_KIB, 62, 10))[0],
            "memory of lab: 20000 KiB, then 41385"
        );
        assert_eq!(grown(&resources(20_000, 63, 10))[1], "open files of replica-1: 30, then 63");
        assert_eq!(grown(&resources(20_000, 30, 11)), ["sessions of the shop: 4, then 11"]);
    }
}
