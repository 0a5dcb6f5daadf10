//! A server answers only to names that no other site can have. Otherwise a page of `evil.example` could have its
//! name point to this machine once it is loaded (DNS rebinding): it would then talk to the server from what its
//! browser takes for the same origin, and read every answer. Such a page always comes by a name, never by an
//! address.

use std::net::{Ipv4Addr, Ipv6Addr};

use actix_web::HttpRequest;
use actix_web::http::header::HOST;
use flash_sale_core::allowed_hosts::{AllowedHosts, normalized_name};

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostRefusal {
    /// It is for another host, of this name, in lower case: 421 Misdirected Request (RFC 9110, section 15.5.20).
    #[error("{0} is another host")]
    Foreign(String),
    /// It doesn't say clearly for which host it is, and why: 400 Bad Request (RFC 9112, section 3.2).
    #[error("{0}")]
    Unclear(&'static str),
}

/// Whom a request is for.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    Address,
    Name(String),
}

/// Whether the request is for an address, for `localhost`, for one of these names, or names no host.
///
/// # Errors
/// When it is for another name, or that can't be told.
pub fn check(request: &HttpRequest, allowed: &AllowedHosts) -> Result<(), HostRefusal> {
    match wanted_host(request).map_err(HostRefusal::Unclear)? {
        Some(Host::Name(name)) if !allowed.contains(&name) => Err(HostRefusal::Foreign(name)),
        _ => Ok(()),
    }
}

/// `None` when the request names no host, which only HTTP/1.0 allows, and no browser does. A request of HTTP/1.1
/// without a Host, or any with two, has not come this far: actix-http answers it 400.
fn wanted_host(request: &HttpRequest) -> Result<Option<Host>, &'static str> {
    let header = request.headers().get(HOST).map(|header| header.to_str().unwrap_or_default());
    // `GET http://shop.example/ HTTP/1.1`: that one would count, and whoever sends it must send the same in both.
    let target = request.uri().authority().map(|authority| authority.as_str());
    let host = match (header, target) {
        (Some(header), Some(target)) if !header.eq_ignore_ascii_case(target) => {
            return Err("The URL and the header Host name different hosts");
        }
        _ => header.or(target),
    };
    host.map(|host| parse(host).ok_or("Host is neither a name nor an address")).transpose()
}

/// `uri-host [ ":" port ]` (RFC 9110, section 7.2), without what no browser sends: percent-encoded names,
/// addresses of future kinds.
fn parse(host: &str) -> Option<Host> {
    let (host, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (None, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match host.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(host), None),
        },
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if port.is_some_and(|port| !is_port(port)) {
        return None;
    }
    match host {
        Some(name) if name.parse::<Ipv4Addr>().is_err() => normalized_name(name).map(Host::Name),
        _ => Some(Host::Address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_read_with_and_without_a_port() {
        for host in ["127.0.0.1", "127.0.0.1:3000", "[::1]", "[::1]:3000", "192.168.0.7:80"] {
            assert_eq!(parse(host), Some(Host::Address), "{host}");
        }
        for (host, name) in
            [("localhost:3000", "localhost"), ("Shop.Example.", "shop.example"), ("1.2.3", "1.2.3")]
        {
            assert_eq!(parse(host), Some(Host::Name(name.to_owned())), "{host}");
        }
    }

    #[test]
    fn anything_else_is_no_host() {
        for host in [
            "",
            ":80",
            "localhost:",
            "localhost:65536",
            "localhost:+80",
            "localhost:8o",
            "a:b:c",
            "::1",
            "[::1",
            "[::1]80",
            "[::1%25lo]",
            "[127.0.0.1]",
            "[v1.x]",
            "user@localhost",
            "localhost/",
            "local host",
            "loc%61lhost",
            "a,b",
            "localhost..",
            "<b>",
        ] {
            assert_eq!(parse(host), None, "{host}");
        }
    }
}
