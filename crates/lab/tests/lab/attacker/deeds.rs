//! What the attacker does. It runs as another user, in a process of its own.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use flash_sale_core::environment;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use super::*;

/// It opens a few thousand connections.
const CONNECTIONS: usize = 3000;
const LOGINS: usize = 250;
const PAUSE: Duration = Duration::from_millis(100);

#[test]
#[ignore = "a helper: what another test runs as another user"]
fn the_other_user() {
    if !environment::flag(TOLD, false).unwrap() {
        return;
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
    let order: Order = serde_json::from_str(&line).unwrap();
    let mut deeds = Deeds {
        until: Instant::now() + Duration::from_secs_f64(order.seconds),
        loot: Loot::default(),
        order,
    };
    deeds.attack();
    println!("\nLOOT {}", serde_json::to_string(&deeds.loot).unwrap());
}

struct Deeds {
    order: Order,
    until: Instant,
    loot: Loot,
}

impl Deeds {
    fn attack(&mut self) {
        match self.order.attack {
            Attack::Locks => self.lock_files(),
            Attack::Files => self.use_files(),
            Attack::Socket => self.use_socket(),
            Attack::Signals => self.send_signals(),
            Attack::Names => self.take_names(),
            Attack::SharedMemory => self.fill_shared_memory(),
            Attack::Segments => self.take_segments(),
            Attack::IdleConnections => self.connect(CONNECTIONS, &[self.order.gateway], b"", b""),
            Attack::HalfRequests => self.connect(CONNECTIONS / 3, &[self.order.gateway], HALF, MORE),
            Attack::ReplicaPorts => self.connect(CONNECTIONS, &self.order.replicas.clone(), HALF, MORE),
            Attack::Logins => self.connect(LOGINS, &[self.order.postgres], &startup_packet(), b""),
            Attack::HalfOfThePorts | Attack::AllPorts => self.take_ports(),
        }
    }

    fn goes_on(&self) -> bool {
        Instant::now() < self.until
    }

    fn note(&mut self, what: impl Into<String>, done: bool) {
        self.loot.tries += 1;
        if done {
            self.loot.got.insert(what.into());
        }
    }

    /// The shop's files and folders, as far as the attacker knows their names or can see them.
    fn targets(&self) -> Vec<PathBuf> {
        let state = self.order.project.join(".flash-sale");
        let names = [
            "",
            "lab.lock",
            "control.sock",
            "hint",
            "logs",
            "logs/lab.log",
            "logs/replica-1.log",
            "logs/replica-2.log",
            "postgres",
            "postgres/postgres.log",
            "postgres/password",
            "postgres/shop-password",
            "postgres/data",
            "postgres/data/postmaster.pid",
            "postgres/data/PG_VERSION",
            "postgres/data/postgresql.conf",
        ];
        let mut targets: Vec<PathBuf> = names.iter().map(|name| state.join(name)).collect();
        for folder in [state, PathBuf::from("/var/lib/flash-sale")] {
            add_all_in(&folder, &mut targets);
        }
        targets
    }

    fn lock_files(&mut self) {
        let mut held = Vec::new();
        while self.goes_on() {
            for path in self.targets() {
                let mut options = OpenOptions::new();
                let options = options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
                for file in [options.read(true).open(&path), options.read(false).write(true).open(&path)] {
                    // A shared lock would also do harm, and so would a lock on a folder.
                    let locked = file.map(|file| (file.try_lock_shared().is_ok(), file));
                    self.note(
                        format!("a lock on {}", path.display()),
                        locked.as_ref().is_ok_and(|(is, _)| *is),
                    );
                    held.extend(locked);
                }
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn use_files(&mut self) {
        while self.goes_on() {
            for path in self.targets() {
                let name = path.display().to_string();
                self.note(format!("read {name}"), File::open(&path).is_ok());
                let written = OpenOptions::new()
                    .write(true)
                    .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
                    .open(&path);
                self.note(format!("write {name}"), written.is_ok());
                let moved = path.with_extension("moved");
                self.note(format!("move {name}"), fs::rename(&path, &moved).is_ok());
                self.note(format!("remove {name}"), fs::remove_file(&path).is_ok());
                self.note(
                    format!("open {name} to all"),
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).is_ok(),
                );
                self.note(format!("a link to {name}"), fs::hard_link(&path, "/tmp/flash-sale-link").is_ok());
                let new = path.join("new");
                self.note(format!("a file in {name}"), File::create(&new).is_ok());
                self.note(format!("a link in {name}"), symlink("/etc/passwd", &new).is_ok());
                let pipe = mknodat(CWD, &new, FileType::Fifo, Mode::RWXU, 0);
                self.note(format!("a pipe in {name}"), pipe.is_ok());
            }
            for pid in self.order.pids.clone() {
                for file in ["environ", "mem", "maps", "cwd/static", "fd/2", "root/etc"] {
                    let path = format!("/proc/{pid}/{file}");
                    self.note(format!("read {path}"), File::open(path).is_ok());
                }
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn use_socket(&mut self) {
        let socket = self.order.project.join(CONTROL_SOCKET);
        while self.goes_on() {
            let connected = UnixStream::connect(&socket);
            self.note("a connection to control.sock", connected.is_ok());
            let answer = connected.and_then(|mut stream| {
                stream.write_all(b"\"status\"\n")?;
                io::read_to_string(stream)
            });
            self.note("an answer of the lab", answer.is_ok_and(|answer| answer.contains("replicas")));
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn send_signals(&mut self) {
        while self.goes_on() {
            for pid in self.order.pids.clone() {
                for signal in
                    [Signal::TERM, Signal::KILL, Signal::STOP, Signal::QUIT, Signal::HUP, Signal::USR1]
                {
                    let sent = kill_process(pid_of(pid), signal);
                    self.note(format!("{signal:?} to process {pid}"), sent.is_ok());
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn take_names(&mut self) {
        let mut taken = Vec::new();
        let ports = [5432, self.order.postgres];
        let of_postgres =
            ports.iter().flat_map(|port| [format!(".s.PGSQL.{port}"), format!(".s.PGSQL.{port}.lock")]);
        let ours = [
            "flash-sale",
            "flash-sale.lock",
            "control.sock",
            "lab.lock",
            "flash-sale-test-",
            "flash-sale-project-",
        ];
        let many = (0..2000).map(|number| format!("flash-sale-other-{number}"));
        for name in of_postgres.chain(ours.map(str::to_owned)).chain(many) {
            let path = Path::new("/tmp").join(name);
            self.loot.tries += 1;
            let pipe = mknodat(CWD, &path, FileType::Fifo, Mode::RWXU | Mode::RWXG | Mode::RWXO, 0);
            if pipe.is_ok() {
                taken.push(path);
            }
        }
        self.loot.held = taken.len() as u64;
        self.wait();
        for path in taken {
            fs::remove_file(path).unwrap();
        }
    }

    fn fill_shared_memory(&mut self) {
        let path = format!("/dev/shm/flash-sale-other-{}", std::process::id());
        let mut file = File::create(&path).unwrap();
        let piece = vec![1; 64 * 1024];
        while self.goes_on() {
            self.loot.tries += 1;
            match file.write(&piece) {
                Ok(bytes) => self.loot.held += bytes as u64,
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
        fs::remove_file(path).unwrap();
    }

    fn take_segments(&mut self) {
        let take = |what: [&str; 2]| {
            Command::new("ipcmk").args(what).output().is_ok_and(|output| output.status.success())
        };
        while self.goes_on() {
            self.loot.tries += 1;
            let (segment, semaphores) = (take(["-M", "1"]), take(["-S", "250"]));
            self.loot.held += u64::from(segment) + u64::from(semaphores);
            if !segment && !semaphores {
                std::thread::sleep(PAUSE);
            }
        }
        // This removes what belongs to the user nobody. The system refuses to remove the others.
        let _ = Command::new("ipcrm").arg("--all").output();
    }

    /// Keeps `most` connections open. It sends `first` on a new one, and `more` again and again.
    fn connect(&mut self, most: usize, ports: &[u16], first: &[u8], more: &[u8]) {
        let mut open: Vec<TcpStream> = Vec::new();
        while self.goes_on() {
            open.retain_mut(|stream| is_open(stream) && stream.write_all(more).is_ok());
            while open.len() < most && self.goes_on() {
                self.loot.tries += 1;
                let port = ports[open.len() % ports.len()];
                let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
                let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else {
                    break;
                };
                if stream.set_nonblocking(true).is_ok() && stream.write_all(first).is_ok() {
                    open.push(stream);
                }
            }
            self.loot.held = self.loot.held.max(open.len() as u64);
            std::thread::sleep(PAUSE);
        }
    }

    fn take_ports(&mut self) {
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
        let bounds: Vec<u16> = range.split_whitespace().map(|bound| bound.parse().unwrap()).collect();
        let middle = bounds[0].midpoint(bounds[1]);
        let ports = if self.order.part == 0 { bounds[0]..=middle } else { middle + 1..=bounds[1] };
        let mut taken: BTreeMap<u16, TcpListener> = BTreeMap::new();
        while self.goes_on() {
            for port in ports.clone() {
                if !taken.contains_key(&port) {
                    self.loot.tries += 1;
                    taken.extend(TcpListener::bind(("0.0.0.0", port)).ok().map(|listener| (port, listener)));
                }
            }
            self.loot.held = taken.len() as u64;
        }
    }

    fn wait(&self) {
        while self.goes_on() {
            std::thread::sleep(PAUSE);
        }
    }
}

/// The beginning of a request that needs much more.
const HALF: &[u8] = b"POST /api/orders HTTP/1.1\r\nHost: localhost\r\n";
const MORE: &[u8] = b"X-More: 1\r\n";

/// The first message of a session (PostgreSQL manual, "Message Formats"): protocol 3.0, user and database.
fn startup_packet() -> Vec<u8> {
    let parameters = b"user\0flash_sale_shop\0database\0flash_sale\0\0";
    let mut packet = (8 + parameters.len() as u32).to_be_bytes().to_vec();
    packet.extend(196_608_u32.to_be_bytes());
    packet.extend(parameters);
    packet
}

fn is_open(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 512]) {
        Ok(bytes) => bytes > 0,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

fn add_all_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            add_all_in(&path, found);
        }
        found.push(path);
    }
}
