//! The shop answers only to names that no other site can have. Otherwise a page of `evil.example` could have its
//! name point to this machine once it is loaded (DNS rebinding): it would then talk to the shop from what its
//! browser takes for the same origin, and read every answer. Such a page always comes by a name, never by an
//! address.

use std::net::{Ipv4Addr, Ipv6Addr};

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::HOST;
use actix_web::middleware::Next;
use flash_sale_core::allowed_hosts::{AllowedHosts, normalized_name};

use crate::problem::Problem;

/// Whom a request is for.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    Address,
    Name(String),
}

/// Answers 421 to a request for a host that this shop is not, and 400 to one that doesn't say clearly for which
/// it is (RFC 9112, section 3.2). Only the files under /static are for anybody: a person sees the refusal as a page,
/// and its style sheet and pictures are the same for every shop.
pub async fn refuse_unknown_host<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let refused = match wanted_host(&request) {
        Ok(None | Some(Host::Address)) => None,
        Ok(Some(Host::Name(_))) if request.path().starts_with("/static/") => None,
        Ok(Some(Host::Name(name))) => {
            let allowed = request.app_data::<AllowedHosts>().expect("server.rs puts it there");
            (!allowed.contains(&name)).then(|| unknown(&name))
        }
        Err(detail) => Some(Problem::new(StatusCode::BAD_REQUEST, detail)),
    };
    match refused {
        Some(problem) => Ok(request.into_response(problem.into_response())),
        None => Ok(next.call(request).await?.map_into_boxed_body()),
    }
}

/// The name is made of letters, digits, dots and dashes: it may be said.
fn unknown(name: &str) -> Problem {
    let detail = format!("This shop does not answer to the name {name}. To let it: ALLOWED_HOSTS={name}");
    Problem::new(StatusCode::MISDIRECTED_REQUEST, &detail)
}

/// `None` when the request names no host, which only HTTP/1.0 allows, and no browser does. A request of HTTP/1.1
/// without a Host, or any with two, has not come this far: actix-http answers it 400.
fn wanted_host(request: &ServiceRequest) -> Result<Option<Host>, &'static str> {
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
