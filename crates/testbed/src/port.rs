//! Finds ports that nobody listens on, and tells whether our own user listens on a port.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use rustix::process::geteuid;

/// The state of a socket that listens, in /proc/net/tcp.
const LISTENS: &str = "0A";

/// A port of 127.0.0.1 that was free a moment ago. Somebody else may take it before you do, so be ready to
/// ask for another one.
///
/// # Errors
/// When the machine has no port left.
pub fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// Whether our own user listens on this port. Another user may have taken it in between, and may answer whatever is
/// asked there. Where the kernel doesn't say (macOS has no /proc), this returns true.
pub fn is_ours(port: u16) -> bool {
    let sockets =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let users: Vec<u32> = sockets.iter().flat_map(|table| listeners_in(table, port)).collect();
    users.is_empty() || users.contains(&geteuid().as_raw())
}

/// The users who listen on `port`, from a table with lines like "0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000
/// 00:00000000 00000000 1000": the second field is our end, the last one the user.
fn listeners_in(table: &str, port: u16) -> impl Iterator<Item = u32> {
    let port = format!(":{port:04X}");
    table.lines().filter_map(move |line| {
        let fields: Vec<&str> = line.split_whitespace().take(8).collect();
        let is_wanted = fields.get(1)?.ends_with(&port) && *fields.get(3)? == LISTENS;
        is_wanted.then_some(fields.get(7)?.parse().ok()?)
    })
}

/// A port of `host` that is free just now. It is easy to remember beside `taken`: 3100 for 3000.
pub fn free_beside(host: IpAddr, taken: u16) -> u16 {
    let is_free = |port: &u16| TcpListener::bind(SocketAddr::new(host, *port)).is_ok();
    let above = (taken..=u16::MAX).step_by(100).skip(1);
    let anywhere = (3000..=u16::MAX).step_by(100).filter(|port| *port != taken);
    above.chain(anywhere).find(is_free).unwrap_or(3000)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};
    use std::os::unix::process::CommandExt;
    use std::process::Stdio;

    use flash_sale_core::environment;

    use super::*;

    /// This variable is set for the helper. Without it, the helper does nothing: it also runs when somebody
    /// runs all ignored tests.
    const TOLD: &str = "TOLD_BY_A_TEST";

    #[test]
    fn beside_each_port_there_is_a_free_one_that_can_be_typed() {
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        for taken in [1, 80, 3000, 65_435, 65_436, 65_500, u16::MAX] {
            let other = free_beside(host, taken);

            assert!(other != taken && other > 0, "{taken}: {other}");
            assert!(TcpListener::bind((host, other)).is_ok(), "{taken}: {other}");
        }
    }

    /// Our own user listens on the port, or the user that root can become.
    #[test]
    fn a_port_that_another_user_listens_on_is_not_ours() {
        let own = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(is_ours(own.local_addr().unwrap().port()));
        if !geteuid().is_root() {
            return eprintln!("skipped: only root can listen as somebody else");
        }

        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command
            .args(["--ignored", "--exact", "port::tests::a_listener", "--nocapture"])
            .uid(65534)
            .gid(65534);
        let other = command.env(TOLD, "true").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut other) = other else { return eprintln!("skipped: other users can't run this program") };
        let lines = BufReader::new(other.stdout.take().unwrap()).lines();
        let port =
            lines.map_while(Result::ok).find_map(|line| line.strip_prefix("port ")?.parse().ok()).unwrap();

        let is_ours = is_ours(port);

        drop(other.stdin.take());
        other.wait().unwrap();
        assert!(!is_ours);
    }

    #[test]
    #[ignore = "a helper of the test above"]
    fn a_listener() {
        if !environment::flag(TOLD, false).unwrap() {
            return;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        println!("\nport {}", listener.local_addr().unwrap().port());
        let _ = io::stdin().read(&mut [0]);
    }

    #[test]
    fn one_that_is_taken_too_is_passed_over() {
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let first = free_beside(host, 20_011);
        let _taken = TcpListener::bind((host, first)).unwrap();

        assert_eq!(free_beside(host, 20_011) % 100, 11);
        assert_ne!(free_beside(host, 20_011), first);
    }
}
