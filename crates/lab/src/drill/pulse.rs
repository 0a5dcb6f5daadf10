//! Asks each replica for its `/health` all the time. Each replica has a thread of its own that asks it. This thread
//! shares nothing with the buyers but the machine. Start with [`Pulse::feel`].
//!
//! On a busy machine, a late answer may have two other causes. The first is the prober, which is the thread that
//! asks: the answer has come, but this thread gets no processor to read it. So the prober looks for the answer every
//! few milliseconds, and an answer counts as missing only if the prober looked and found nothing. The second is the
//! machine: the replica is ready to run, but it gets no processor. The kernel counts that time
//! (/proc/PID/task/TID/schedstat), and it is taken off.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::control::messages::ReplicaStatus;
use crate::control::running;

/// The shop promises that `/health` answers within this time, whatever the database does.
pub const HEALTH_LIMIT: Duration = Duration::from_millis(50);
const INTERVAL: Duration = Duration::from_millis(50);
const LOOK_EVERY: Duration = Duration::from_millis(4);
/// After this time nobody waits for the answer any more.
const GIVE_UP_AFTER: Duration = Duration::from_secs(2);
/// The time between two questions to the lab where its replicas are.
const FIND_EVERY: Duration = Duration::from_millis(100);
const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/// One question, and how long it took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beat {
    /// The time until the answer was found.
    pub took: Duration,
    /// How long the answer was surely missing: until the last look that found nothing.
    pub missing_for: Duration,
    /// How long the replica waited for a processor in that time, as far as the system says.
    pub withheld: Duration,
}

impl Beat {
    /// Whether the replica itself was late.
    pub fn is_late(&self) -> bool {
        self.missing_for.saturating_sub(self.withheld) > HEALTH_LIMIT
    }
}

/// The process and the port of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ProcessPlace {
    pid: u32,
    port: u16,
}

/// Threads that ask the replicas as long as this value lives.
pub struct Pulse {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    finder: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    places: Mutex<BTreeMap<String, ProcessPlace>>,
    /// Replicas that aren't expected to answer.
    excused: Mutex<BTreeSet<String>>,
    beats: Mutex<Vec<Beat>>,
}

impl Pulse {
    /// Begins to ask these replicas of the running lab, and follows them when they are replaced.
    pub fn feel(replicas: &[ReplicaStatus]) -> Self {
        let shared = Arc::new(Shared::default());
        shared.find(replicas);
        let threads = replicas.iter().map(|replica| {
            let (shared, name) = (Arc::clone(&shared), replica.name.clone());
            thread::spawn(move || shared.ask_again_and_again(&name))
        });
        let threads = threads.collect();
        let follower = Arc::clone(&shared);
        let finder = tokio::spawn(async move {
            loop {
                if let Ok(status) = running().await {
                    follower.find(&status.replicas);
                }
                tokio::time::sleep(FIND_EVERY).await;
            }
        });
        Self { shared, threads, finder }
    }

    /// How many replicas are asked.
    pub fn replicas(&self) -> usize {
        self.threads.len()
    }

    /// Expects no answer from this replica until [`Pulse::expect`].
    pub fn excuse(&self, replica: &str) {
        self.shared.excused.lock().insert(replica.to_owned());
    }

    /// Expects answers from this replica again.
    pub fn expect(&self, replica: &str) {
        self.shared.excused.lock().remove(replica);
    }

    /// The beats since the last call.
    pub fn take_beats(&self) -> Vec<Beat> {
        std::mem::take(&mut *self.shared.beats.lock())
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.finder.abort();
        self.shared.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn find(&self, replicas: &[ReplicaStatus]) {
        let place_of = |replica: &ReplicaStatus| {
            let process = replica.process.as_ref()?;
            Some((replica.name.clone(), ProcessPlace { pid: process.pid, port: process.port }))
        };
        *self.places.lock() = replicas.iter().filter_map(place_of).collect();
    }

    fn ask_again_and_again(&self, name: &str) {
        let mut connection: Option<(ProcessPlace, TcpStream)> = None;
        while !self.is_over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let place = self.places.lock().get(name).copied();
            if let (Some(place), false) = (place, self.is_excused(name)) {
                let kept = connection.take().filter(|(of, _)| *of == place);
                connection = self.ask(name, place, kept.map(|(_, stream)| stream)).map(|kept| (place, kept));
            }
            thread::sleep(INTERVAL.saturating_sub(begun.elapsed()));
        }
    }

    /// Asks once, on `kept` or on a new connection. Returns the connection when it can be used again. A broken
    /// connection means that the process is gone, which is no delay.
    fn ask(&self, name: &str, place: ProcessPlace, kept: Option<TcpStream>) -> Option<TcpStream> {
        let withheld_before = withheld_from_threads(place.pid);
        let begun = Instant::now();
        let connected = match kept {
            Some(stream) => Ok(stream),
            None => TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, place.port).into(), GIVE_UP_AFTER),
        };
        let mut stream = connected.ok()?;
        let beat = wait_for_answer(&mut stream, begun).ok()?;
        let beat = Beat { withheld: most_withheld_since(&withheld_before, place.pid), ..beat };
        // A replica that was excused meanwhile was frozen or killed meanwhile.
        if !self.is_excused(name) && !self.is_over.load(Ordering::Relaxed) {
            self.beats.lock().push(beat);
        }
        (beat.took < GIVE_UP_AFTER).then_some(stream)
    }

    fn is_excused(&self, name: &str) -> bool {
        self.excused.lock().contains(name)
    }
}

fn wait_for_answer(stream: &mut TcpStream, begun: Instant) -> io::Result<Beat> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LOOK_EVERY))?;
    stream.write_all(REQUEST)?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    let mut missing_for = Duration::ZERO;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                answer.extend_from_slice(&buffer[..count]);
                if is_whole(&answer) {
                    return Ok(Beat { took: begun.elapsed(), missing_for, ..Beat::default() });
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                missing_for = begun.elapsed();
                if missing_for > GIVE_UP_AFTER {
                    return Ok(Beat { took: missing_for, missing_for, ..Beat::default() });
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// How long each thread of this process has been ready to run without running. Empty where the system doesn't say.
fn withheld_from_threads(pid: u32) -> BTreeMap<OsString, Duration> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return BTreeMap::new() };
    let of_thread = |thread: io::Result<fs::DirEntry>| {
        let thread = thread.ok()?;
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let waited = text.split(' ').nth(1)?.parse().ok()?;
        Some((thread.file_name(), Duration::from_nanos(waited)))
    };
    threads.filter_map(of_thread).collect()
}

/// The longest time that one thread has waited for a processor since `before`. The times of all threads are not added
/// up, because the threads wait at the same time.
fn most_withheld_since(before: &BTreeMap<OsString, Duration>, pid: u32) -> Duration {
    let waited = |(thread, after): (OsString, Duration)| {
        after.saturating_sub(before.get(&thread).copied().unwrap_or(after))
    };
    withheld_from_threads(pid).into_iter().map(waited).max().unwrap_or_default()
}

/// Looks only for the end of the body, which is a JSON object without objects in it.
fn is_whole(answer: &[u8]) -> bool {
    answer.ends_with(b"}")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

    fn ask_a_server_that(act: impl FnOnce(TcpStream) + Send + 'static) -> io::Result<Beat> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let _ = client.read(&mut [0; 1024]).unwrap();
            act(client);
        });
        let beat = wait_for_answer(&mut stream, Instant::now());
        server.join().unwrap();
        beat
    }

    #[test]
    fn an_answer_past_the_limit_was_seen_to_be_missing() {
        let beat = ask_a_server_that(|mut client| {
            // So long that the prober looks before the answer comes, even if it gets no processor for a while.
            thread::sleep(HEALTH_LIMIT * 10);
            client.write_all(ANSWER).unwrap();
        })
        .unwrap();

        assert!(beat.missing_for > HEALTH_LIMIT && beat.took >= beat.missing_for, "{beat:?}");
    }

    #[test]
    fn an_answer_that_is_there_is_never_missing_however_late_it_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut client, _) = listener.accept().unwrap();
        client.write_all(ANSWER).unwrap();
        // As if this thread had got no processor between the request and the look.
        let begun = Instant::now().checked_sub(HEALTH_LIMIT * 2).unwrap();

        let beat = wait_for_answer(&mut stream, begun).unwrap();

        assert!(beat.missing_for.is_zero() && beat.took > HEALTH_LIMIT, "{beat:?}");
    }

    #[test]
    fn what_the_machine_withheld_is_not_the_replicas_delay() {
        let missing_for = HEALTH_LIMIT * 2;

        assert!(Beat { missing_for, withheld: HEALTH_LIMIT / 2, ..Beat::default() }.is_late());
        assert!(!Beat { missing_for, withheld: HEALTH_LIMIT, ..Beat::default() }.is_late());
    }

    #[test]
    fn a_process_that_is_gone_is_no_delay() {
        assert!(ask_a_server_that(drop).is_err());
    }
}
