//! What the attacker takes away from all: memory, connections and ports.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use super::{Deeds, PAUSE};
use crate::*;

impl Deeds {
    pub(super) fn fill_shared_memory(&mut self) {
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

    pub(super) fn take_segments(&mut self) {
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
    pub(super) fn connect(&mut self, most: usize, ports: &[u16], first: &[u8], more: &[u8]) {
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

    pub(super) fn take_ports(&mut self) {
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
}

fn is_open(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 512]) {
        Ok(bytes) => bytes > 0,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}
