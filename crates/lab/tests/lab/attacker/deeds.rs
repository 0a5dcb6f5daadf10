//! What the attacker does. It runs as another user, in a process of its own. [`files`] has what it does to files, and
//! [`resources`] what it takes away from all.

mod files;
mod resources;

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use flash_sale_core::environment;

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
