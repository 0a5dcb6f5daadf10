//! The conditions under which a benchmark was run. Figures of other conditions can't be compared with it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::ceiling::{self, Ceiling};
use super::own_shop::OwnShop;
use crate::guide::copy::OF_ANOTHER_REPOSITORY;
use crate::project;
use crate::statistics::{median, milliseconds};

/// PostgreSQL's settings that matter here.
const SETTINGS: [&str; 8] = [
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "shared_buffers",
    "max_wal_size",
    "max_connections",
];
/// What PostgreSQL writes and flushes for a small transaction: one page of its log.
const PAGE_BYTES: usize = 8192;
const FLUSHING: Duration = Duration::from_millis(500);

/// The conditions.
#[derive(Clone, Debug, Serialize)]
pub struct Conditions {
    /// How many processors the programs may use.
    pub processors: usize,
    /// What the processor is called, where the system says so.
    pub processor: Option<String>,
    /// PostgreSQL's version and settings.
    pub postgresql: BTreeMap<String, String>,
    /// How long the disk takes to write and flush 8 KiB (fdatasync), in milliseconds: the median of half a second.
    pub flush_ms: f64,
    /// The commit of the files, with "+" when files have changed since; `None` without git.
    pub commit: Option<String>,
    /// "release" or "dev": how the shop was built.
    pub shop_build: &'static str,
    /// The same for the lab, whose process is the gateway and the load.
    pub lab_build: &'static str,
    /// How many replicas there are.
    pub replicas: usize,
    /// What a lock on one row allows at most.
    pub ceiling: Ceiling,
}

impl Conditions {
    /// Looks at all of it. This takes about a second.
    ///
    /// # Errors
    /// When the disk can't be written, or the database fails.
    pub async fn look(shop: &OwnShop, is_release: bool) -> anyhow::Result<Self> {
        let flush = tokio::task::spawn_blocking(|| flush_time(Path::new(project::BENCH))).await??;
        let name = |is_release| if is_release { "release" } else { "dev" };
        Ok(Self {
            processors: std::thread::available_parallelism()?.get(),
            processor: processor(),
            postgresql: shop.database.settings(&SETTINGS).await?,
            flush_ms: milliseconds(flush),
            commit: commit().await,
            shop_build: name(is_release),
            lab_build: name(!cfg!(debug_assertions)),
            replicas: shop.meter.replicas.len(),
            ceiling: ceiling::measure(shop).await?,
        })
    }
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.trim_start_matches([' ', '\t', ':']).to_owned())
}

/// Writes the same page again and again, as PostgreSQL does with the end of its log, and flushes it each time.
fn flush_time(folder: &Path) -> io::Result<Duration> {
    let path = folder.join("flush");
    let file = File::create(&path)?;
    let page = [0x5a; PAGE_BYTES];
    let (mut times, start) = (Vec::new(), Instant::now());
    while start.elapsed() < FLUSHING {
        let began = Instant::now();
        file.write_all_at(&page, 0)?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    fs::remove_file(path)?;
    Ok(median(times).unwrap_or_default())
}

async fn commit() -> Option<String> {
    let head = git(&["rev-parse", "--short", "HEAD"]).await?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).await?;
    Some(format!("{head}{}", if changed.is_empty() { "" } else { "+" }))
}

/// What git prints. `None` where there is no git, or no repository.
async fn git(arguments: &[&str]) -> Option<String> {
    let mut git = tokio::process::Command::new("git");
    for name in OF_ANOTHER_REPOSITORY {
        git.env_remove(name);
    }
    let output = git.args(arguments).kill_on_drop(true).output().await.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
