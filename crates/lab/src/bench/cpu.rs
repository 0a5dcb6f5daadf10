//! The processor time of each part of the shop, from /proc. Where there is no /proc (macOS), nothing is known of it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::load::THREAD;

/// Nanoseconds in a tick of /proc's clock: Linux counts a hundred ticks a second for every program.
const NANOSECONDS_IN_A_TICK: u64 = 10_000_000;

/// A part of the shop, or the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worker {
    Replicas,
    Gateway,
    PostgreSql,
    Load,
}

/// The processes of which the time is read.
#[derive(Clone, Debug)]
pub struct Meter {
    /// The replicas.
    pub replicas: Vec<u32>,
    /// PostgreSQL's first process. The others are its children.
    pub postgresql: u32,
}

/// The time of each thread since its start, in nanoseconds.
pub struct CpuTimes(HashMap<(u32, u32), (Worker, u64)>);

/// Processor time of a round, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CpuSeconds {
    /// Both replicas.
    pub replicas: f64,
    /// The lab without its buyers: the gateway, and a little for the lab itself.
    pub gateway: f64,
    /// All processes of PostgreSQL.
    pub postgresql: f64,
    /// The buyers.
    pub load: f64,
}

impl Meter {
    /// Reads the times now. `None` where there is no /proc.
    pub fn read(&self) -> Option<CpuTimes> {
        let mut times = HashMap::new();
        for pid in &self.replicas {
            add_threads(&mut times, *pid, |_| Worker::Replicas);
        }
        let own = |name: &str| if name == THREAD { Worker::Load } else { Worker::Gateway };
        add_threads(&mut times, std::process::id(), own);
        for pid in processes().filter(|pid| *pid == self.postgresql || parent(*pid) == Some(self.postgresql))
        {
            add_threads(&mut times, pid, |_| Worker::PostgreSql);
        }
        (!times.is_empty()).then_some(CpuTimes(times))
    }

    /// The most memory that a replica has had so far, in KiB.
    pub fn peak_memory_kib(&self) -> Option<u64> {
        let peak = |pid: &u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        };
        self.replicas.iter().filter_map(peak).max()
    }
}

impl CpuTimes {
    /// The time since an earlier reading. What a thread did that has ended meanwhile is lost.
    pub fn since(&self, earlier: &Self) -> CpuSeconds {
        let mut sum = CpuSeconds::default();
        for (thread, (part, now)) in &self.0 {
            let before = earlier.0.get(thread).map_or(0, |(_, before)| *before);
            let seconds = now.saturating_sub(before) as f64 / 1e9;
            match part {
                Worker::Replicas => sum.replicas += seconds,
                Worker::Gateway => sum.gateway += seconds,
                Worker::PostgreSql => sum.postgresql += seconds,
                Worker::Load => sum.load += seconds,
            }
        }
        sum
    }
}

impl CpuSeconds {
    /// The time of all parts.
    pub fn all(&self) -> f64 {
        self.replicas + self.gateway + self.postgresql + self.load
    }

    /// Adds another round.
    pub fn add(&mut self, other: Self) {
        self.replicas += other.replicas;
        self.gateway += other.gateway;
        self.postgresql += other.postgresql;
        self.load += other.load;
    }
}

fn add_threads(times: &mut HashMap<(u32, u32), (Worker, u64)>, pid: u32, part: impl Fn(&str) -> Worker) {
    for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let path = thread.path();
        let number = thread.file_name().to_str().and_then(|name| name.parse().ok());
        if let (Some(number), Some(time)) = (number, nanoseconds(&path)) {
            let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
            times.insert((pid, number), (part(name.trim_end()), time));
        }
    }
}

/// The time of one thread. The exact clock may not be built into the kernel; then it stands still.
fn nanoseconds(thread: &Path) -> Option<u64> {
    let schedstat = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
    let exact = schedstat.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0);
    let stat = fs::read_to_string(thread.join("stat")).ok()?;
    let field = |number: usize| after_name(&stat)?.split(' ').nth(number)?.parse::<u64>().ok();
    let ticks = field(11)? + field(12)?;
    Some(if exact > 0 { exact } else { ticks * NANOSECONDS_IN_A_TICK })
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    after_name(&stat)?.split(' ').nth(1)?.parse().ok()
}

/// What follows the program's name, which stands in parentheses and may hold anything.
fn after_name(stat: &str) -> Option<&str> {
    stat.rsplit_once(") ").map(|(_, rest)| rest)
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn work(time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {}
    }

    #[test]
    fn the_buyers_threads_are_told_from_the_rest_of_the_lab() {
        let meter = Meter { replicas: Vec::new(), postgresql: u32::MAX };
        // Without /proc (macOS), nothing is known.
        let Some(before) = meter.read() else { return };

        let (done, wait) = std::sync::mpsc::channel();
        let (read, stay) = std::sync::mpsc::channel::<()>();
        let buyers = std::thread::Builder::new().name(THREAD.to_owned()).spawn(move || {
            work(Duration::from_millis(100));
            done.send(()).unwrap();
            let _ = stay.recv();
        });
        wait.recv().unwrap();
        let used = meter.read().unwrap().since(&before);
        drop(read);
        buyers.unwrap().join().unwrap();

        // A busy machine gives a thread less than the whole of its time.
        assert!((0.005..0.2).contains(&used.load), "{used:?}");
        assert_eq!((used.replicas, used.postgresql), (0.0, 0.0));
    }

    #[test]
    fn a_parent_is_found_whatever_the_program_is_called() {
        assert_eq!(after_name("7 (a) b) S 42 7 7").and_then(|rest| rest.split(' ').nth(1)), Some("42"));
        assert_eq!(parent(std::process::id()).is_some(), Path::new("/proc/self").exists());
    }
}
