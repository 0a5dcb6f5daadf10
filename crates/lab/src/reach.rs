//! Where the running shop is reached. The addresses answer for each `HOST`, and however this machine understands the
//! name `localhost`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// How long to look the name up. A machine that has to ask a far server for `localhost` gets an address instead of the
/// name.
const LOOKUP_LIMIT: Duration = Duration::from_secs(1);
/// How long to try a connection: this machine answers or refuses at once.
const CONNECT_LIMIT: Duration = Duration::from_millis(200);

/// Where the gateway is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The address for the programs of this machine.
    pub address: SocketAddr,
    /// The URL for a person. It has the name `localhost`, if that leads to the gateway.
    pub url: String,
}

impl Reach {
    /// Finds where a gateway that listens on `bound` already is reached.
    pub async fn of(bound: SocketAddr) -> Self {
        let found = timeout(LOOKUP_LIMIT, lookup_host(("localhost", bound.port()))).await;
        let found: Vec<SocketAddr> = match found {
            Ok(Ok(found)) => found.collect(),
            _ => Vec::new(),
        };
        let address = local_address(bound);
        let url = if is_first_to_listen(bound, &found).await {
            format!("http://localhost:{}", bound.port())
        } else {
            format!("http://{address}")
        };
        Self { address, url }
    }
}

fn local_address(bound: SocketAddr) -> SocketAddr {
    let host = match bound.ip() {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    SocketAddr::new(host, bound.port())
}

/// Whether `bound` is the first of a name's addresses where anybody listens. Browsers and curl try one after the
/// other, and stay with the first that accepts.
async fn is_first_to_listen(bound: SocketAddr, addresses: &[SocketAddr]) -> bool {
    for address in addresses {
        if hears(bound, *address) {
            return true;
        }
        if matches!(timeout(CONNECT_LIMIT, TcpStream::connect(address)).await, Ok(Ok(_))) {
            return false;
        }
    }
    false
}

/// Whether a listener on `bound` hears `address`, an address of this machine.
fn hears(bound: SocketAddr, address: SocketAddr) -> bool {
    match bound.ip() {
        IpAddr::V4(host) if host.is_unspecified() => address.is_ipv4(),
        // In this case, the gateway's socket takes both kinds.
        IpAddr::V6(host) if host.is_unspecified() => true,
        host => host == address.ip(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn listen(address: &str) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(address).unwrap();
        let bound = listener.local_addr().unwrap();
        (listener, bound)
    }

    #[tokio::test]
    async fn a_name_leads_to_us_when_nobody_listens_on_its_addresses_before_ours() {
        let (_shop, bound) = listen("127.0.0.1:0");
        let at = |address: &str| SocketAddr::new(address.parse().unwrap(), bound.port());

        assert!(is_first_to_listen(bound, &[at("127.0.0.1")]).await);
        assert!(is_first_to_listen(bound, &[at("::1"), at("127.0.0.1")]).await);
        assert!(!is_first_to_listen(bound, &[at("::1")]).await, "only IPv6");
        assert!(!is_first_to_listen(bound, &[]).await, "no file names it");

        let Ok(_stranger) = TcpListener::bind(at("::1")) else {
            return eprintln!("skipped: this machine has no IPv6");
        };
        assert!(!is_first_to_listen(bound, &[at("::1"), at("127.0.0.1")]).await, "somebody else's");
        assert!(is_first_to_listen(bound, &[at("127.0.0.1"), at("::1")]).await);
    }

    #[test]
    fn who_listens_on_all_addresses_is_reached_on_one_of_them() {
        for (bound, local, heard, unheard) in [
            ("127.0.0.1:3000", "127.0.0.1:3000", "127.0.0.1:3000", "[::1]:3000"),
            ("[::1]:3000", "[::1]:3000", "[::1]:3000", "127.0.0.1:3000"),
            ("127.0.0.2:3000", "127.0.0.2:3000", "127.0.0.2:3000", "127.0.0.1:3000"),
            ("0.0.0.0:3000", "127.0.0.1:3000", "127.0.0.1:3000", "[::1]:3000"),
        ] {
            let [bound, local, heard, unheard] =
                [bound, local, heard, unheard].map(|address| address.parse().unwrap());
            assert_eq!(local_address(bound), local);
            assert!(hears(bound, heard) && !hears(bound, unheard), "{bound}");
        }
        let all: SocketAddr = "[::]:3000".parse().unwrap();
        assert_eq!(local_address(all), "[::1]:3000".parse().unwrap());
        assert!(hears(all, "127.0.0.1:3000".parse().unwrap()));
    }
}
