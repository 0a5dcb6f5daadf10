//! The lab's gateway and nginx refuse the same requests in the same form, and let none through that the other refuses:
//! whoever learns with the one and deploys with the other knows what to expect.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use flash_sale_gateway::{self as gateway, Gateway};
use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::slow::{LIMIT, SLACK};
use super::{PATIENCE, RawAnswer, chunk, parse, shown, talk};
use crate::Shop;
use crate::nginx::process::Nginx;

const PROBLEM: &str = "content-type: application/problem+json";

/// The same replica behind two doors.
struct FrontDoors {
    shop: Shop,
    order: String,
    gateway: SocketAddr,
    nginx: SocketAddr,
    _running: (Gateway, Nginx),
}

impl FrontDoors {
    async fn open() -> Option<Self> {
        let nginx = Nginx::reserve_port()?;
        let shop = Shop::open().await;
        shop.execute("UPDATE products SET quantity = 1000").await;
        let replica = shop.replicas[0].port;
        let listener = gateway::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let gateway = Gateway::start(listener, 1).unwrap();
        gateway.set_replica(0, Some(SocketAddr::from((Ipv4Addr::LOCALHOST, replica))));
        let nginx = nginx.start([replica, replica]).await;
        let order = format!(r#"{{"product_id":"{}"}}"#, shop.book().await);
        let nginx_address = nginx.url.trim_start_matches("http://").parse().unwrap();
        Some(Self { shop, order, gateway: address, nginx: nginx_address, _running: (gateway, nginx) })
    }
}

/// A request, what both doors answer, and what nginx answers where it can't be made to answer the same.
struct Row {
    request: String,
    status: u16,
    nginx: Option<(u16, &'static str)>,
}

fn row(request: impl Into<String>, status: u16) -> Row {
    Row { request: request.into(), status, nginx: None }
}

fn differs(request: impl Into<String>, status: u16, nginx: u16, why: &'static str) -> Row {
    Row { request: request.into(), status, nginx: Some((nginx, why)) }
}

/// A request for a target, with headers behind Host and Connection.
fn request(method: &str, target: &str, headers: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}\r\n")
}

fn rows(order: &str) -> Vec<Row> {
    let post = |headers: &str, body: &str| request("POST", "/api/orders", headers) + body;
    let chunked = "Transfer-Encoding: chunked\r\n";
    let raw = |head: &str| format!("{head}\r\nConnection: close\r\n\r\n");
    let long = |length: usize| "x".repeat(length);
    const ORIGIN_FORM: &str = "nginx takes no target that is neither a path nor a URL";
    const NORMAL: &str = "nginx decodes the path before it passes it on";
    vec![
        // What is fine.
        row(request("GET", "/health", ""), 200),
        row(post(&format!("Content-Length: {}\r\n", order.len()), order), 200),
        row(post(chunked, &format!("{}0\r\n\r\n", chunk(order))), 200),
        row(request("GET", "http://127.0.0.1/health", ""), 200),
        row(request("GET", "/nowhere", ""), 404),
        row(request("GET", "/problem", ""), 404),
        row(request("GET", "/unanswered", ""), 404),
        row(request("DELETE", "/health", ""), 405),
        row(request("BREW", "/health", ""), 405),
        row(raw("GET /health HTTP/1.0"), 200),
        // Methods and protocols that are none here.
        row(request("TRACE", "/health", ""), 405),
        row("CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n", 400),
        row("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        row(raw("GET /health HTTP/2.0\r\nHost: 127.0.0.1"), 400),
        differs(raw("GET /health HTTP/1.2\r\nHost: 127.0.0.1"), 400, 200, "nginx takes each 1.x for 1.1"),
        row("\x16\x03\x01\0\u{5}hello of another protocol\r\n\r\n", 400),
        row("{}\r\n\r\n", 400),
        // Targets.
        differs(request("GET", "*", ""), 404, 400, ORIGIN_FORM),
        differs(request("OPTIONS", "*", ""), 404, 400, ORIGIN_FORM),
        row(request("GET", "health", ""), 400),
        row(request("GET", "/a b", ""), 400),
        row(request("GET", "/hea\0lth", ""), 400),
        row(request("GET", "/../../etc/passwd", ""), 404).nginx(400, NORMAL),
        row(request("GET", "/static/%2e%2e/%2e%2e/etc/passwd", ""), 404).nginx(400, NORMAL),
        row(request("GET", "/%00", ""), 404).nginx(400, NORMAL),
        row(request("GET", "/%zz", ""), 404).nginx(400, NORMAL),
        // Hosts.
        row(request("GET", "http://evil.example/health", ""), 400),
        row(request("GET", "http://127.0.0.1:81/health", ""), 400),
        row(request("GET", "HTTP://evil.example", ""), 400),
        row(request("POST", "http://evil.example/api/reset", "Content-Length: 0\r\n"), 400),
        row(raw("GET http://evil.example/health HTTP/1.0"), 421),
        row(raw("GET http://evil.example/health HTTP/1.1\r\nHost: evil.example"), 421),
        row(raw("GET /health HTTP/1.1\r\nHost: evil.example"), 421),
        row(raw("GET /health HTTP/1.1"), 400),
        row(raw("GET /health HTTP/1.1\r\nHost: "), 400),
        row(raw("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1"), 400),
        row(raw("GET /health HTTP/1.1\r\nHost: a b"), 400),
        row(raw("GET /health HTTP/1.1\r\nHost: a/b"), 400),
        row(raw("GET /health HTTP/1.1\r\nHost: user@127.0.0.1"), 400),
        row(raw("GET /health HTTP/1.1\r\nHost: [::1"), 400),
        // Heads.
        row(request("GET", "/health", &format!("X: {}\r\n", long(30_000))), 200),
        row(request("GET", &format!("/{}", long(30_000)), ""), 404),
        row(request("GET", "/health", &format!("X: {}\r\n", long(40_000))), 431),
        row(request("GET", "/health", &format!("X: {}\r\n", long(1_000)).repeat(40)), 431),
        row(request("GET", &format!("/{}", long(40_000)), ""), 414),
        row(request("GET", "/health", "X: a\0b\r\n"), 400),
        row(request("GET", "/health", ": a\r\n"), 400),
        row(request("GET", "/health", "X : a\r\n"), 400),
        // Bodies without a clear end.
        row(post("Content-Length: five\r\n", order), 400),
        row(post("Content-Length: +5\r\n", order), 400),
        row(post("Content-Length: 5\r\nContent-Length: 5\r\n", order), 400),
        row(post(&format!("Content-Length: 5\r\n{chunked}"), order), 400),
        row(post("Transfer-Encoding: gzip, chunked\r\n", order), 400),
        row(post(&format!("{chunked}{chunked}"), order), 400),
        row(format!("POST /api/orders HTTP/1.0\r\n{chunked}\r\n"), 400),
        row(post(chunked, "no size\r\n"), 400),
        // Bodies that are too long.
        row(post("Content-Length: 65537\r\n", &long(65_537)), 413),
        row(post("Content-Length: 65536\r\n", &long(65_536)), 422),
        row(post(chunked, &format!("{}0\r\n\r\n", chunk(&long(65_537)))), 413),
    ]
}

impl Row {
    fn nginx(self, status: u16, why: &'static str) -> Self {
        Self { nginx: Some((status, why)), ..self }
    }
}

#[tokio::test]
async fn both_front_doors_give_the_same_answers_in_the_same_form() {
    let Some(doors) = FrontDoors::open().await else { return };
    let mut wrong = Vec::new();

    for Row { request, status, nginx } in rows(&doors.order) {
        let of_nginx = nginx.map_or(status, |(status, _)| status);
        for (door, address, expected) in
            [("gateway", doors.gateway, status), ("nginx", doors.nginx, of_nginx)]
        {
            let answers = talk(address, request.as_bytes()).await;
            let is_right = matches!(&answers[..], [answer] if answer.status == expected
                && answer.head.contains(PROBLEM) == (expected >= 400)
                && (expected < 400 || answer.body.contains(&format!(r#""status":{expected},"#))));
            if !is_right {
                wrong.push(format!(
                    "{door}: {}\n  expected {expected}: {answers:?}",
                    shown(request.as_bytes())
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Those three that are orders, through each door.
    assert_eq!(doors.shop.order_count().await, 2 * 2);
}

/// HTTP/0.9 has answers without a head.
#[tokio::test]
async fn who_speaks_http_0_9_is_told_nothing_of_the_shop() {
    let Some(doors) = FrontDoors::open().await else { return };

    for address in [doors.gateway, doors.nginx] {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(b"GET /api/products\r\n").await.unwrap();
        connection.write_all(b"\r\n").await.unwrap();
        let mut told = String::new();
        timeout(PATIENCE, connection.read_to_string(&mut told)).await.expect("an end").unwrap();
        assert!(told.contains(r#""detail":"This is not an HTTP request that can be passed on""#), "{told}");
    }
}

/// What may stand before a slow request on its connection: each leaves it open.
static BEFORE: LazyLock<[(&str, String); 6]> = LazyLock::new(|| {
    let post = |headers: &str, body: &str| super::post(headers, body).replace("/api/orders", "/nowhere");
    [
        ("nothing", String::new()),
        ("a plain request", "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_owned()),
        ("one in chunks", post("Transfer-Encoding: chunked\r\n", &format!("{}0\r\n\r\n", chunk("{}")))),
        ("HTTP/1.0", "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_owned()),
        ("another protocol", post("Upgrade: h2c\r\nContent-Length: 2\r\n", "{}")),
        ("two at once", "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(2)),
    ]
});

/// All that a client is told that sends a byte ten times a second, and how long it can.
async fn dribble_behind(
    address: SocketAddr,
    before: &str,
    first: &str,
    then: &[u8],
) -> (Vec<RawAnswer>, Duration) {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(before.as_bytes()).await.unwrap();
    let expected = before.matches(" HTTP/1.").count();
    let mut bytes = Vec::new();
    while expected > 0 && whole_answers(&bytes) < expected {
        let read = timeout(PATIENCE, connection.read_buf(&mut bytes)).await.expect("an answer").unwrap();
        assert_ne!(read, 0, "closed behind {before}");
    }
    bytes.clear();

    let begun = Instant::now();
    connection.write_all(first.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = connection.split();
    let dribbling = async {
        while writer.write_all(then).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        std::future::pending::<()>().await
    };
    tokio::select! {
        ended = timeout(PATIENCE, reader.read_to_end(&mut bytes)) => {
            // A reset is an end too.
            let _ = ended.unwrap_or_else(|_| panic!("still open: {first} behind {before}"));
        }
        () = dribbling => {}
    }
    (parse(&bytes), begun.elapsed())
}

fn whole_answers(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, rest)) = text.split_once("\r\n\r\n") else { return 0 };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    if rest.len() < length { 0 } else { 1 + whole_answers(&rest.as_bytes()[length..]) }
}

#[track_caller]
fn assert_in_time(took: Duration, name: &str) {
    assert!((LIMIT - Duration::from_millis(500)..LIMIT + SLACK).contains(&took), "{name}: {took:?}");
}

#[tokio::test]
async fn a_head_is_waited_for_for_5_s_by_both_front_doors_whatever_came_before_it() {
    let Some(doors) = FrontDoors::open().await else { return };

    join_all(BEFORE.iter().flat_map(|(name, before)| {
        [(doors.gateway, true), (doors.nginx, false)].map(|(address, is_told)| async move {
            let (answers, took) = dribble_behind(address, before, "GET /health HTTP/1.1\r\nX: ", b"x").await;
            // nginx closes without a word, and can't be told otherwise.
            assert_eq!(super::statuses(&answers), if is_told { vec![408] } else { vec![] }, "behind {name}");
            assert_in_time(took, name);
        })
    }))
    .await;
}

#[tokio::test]
async fn a_body_is_waited_for_for_5_s_by_both_front_doors_whatever_came_before_it() {
    let Some(doors) = FrontDoors::open().await else { return };
    let sized = "Content-Length: 60000\r\n";
    let bodies = [
        ("sized", super::post(sized, "{"), &b" "[..]),
        ("in chunks", super::post("Transfer-Encoding: chunked\r\n", "1\r\n{\r\n"), b"1\r\n \r\n"),
        ("in one chunk", super::post("Transfer-Encoding: chunked\r\n", "ea60\r\n{"), b" "),
        ("in a trailer", super::post("Transfer-Encoding: chunked\r\n", "0\r\n"), b"X: y\r\n"),
        ("waits to be asked", super::post(&format!("Expect: 100-continue\r\n{sized}"), ""), b" "),
        ("another protocol", super::post(&format!("Upgrade: websocket\r\n{sized}"), "{"), b" "),
        ("HTTP/1.0", format!("POST /api/orders HTTP/1.0\r\nConnection: keep-alive\r\n{sized}\r\n"), b" "),
    ];

    let addresses = [("gateway", doors.gateway), ("nginx", doors.nginx)];
    join_all(addresses.iter().flat_map(|(door, address)| {
        bodies.iter().flat_map(move |(body, request, then)| {
            BEFORE.iter().map(move |(before_name, before)| async move {
                let name = format!("{door}: {body} behind {before_name}");
                let (answers, took) = dribble_behind(*address, before, request, then).await;
                let last = answers.iter().find(|answer| answer.status != 100);
                last.unwrap_or_else(|| panic!("{name}: no answer after {took:?}"))
                    .assert_problem(408, "The body did not arrive in time");
                assert_in_time(took, &name);
            })
        })
    }))
    .await;
    assert_eq!(doors.shop.order_count().await, 0);
}
