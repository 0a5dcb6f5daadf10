//! The shop answers to the names that it has, and to no other: a page whose name was pointed here reads nothing.

use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::nginx::process::Nginx;
use crate::{Answer, Shop, read};

const PATHS: [(Method, &str); 7] = [
    (Method::GET, "/"),
    (Method::GET, "/api/products"),
    (Method::GET, "/health"),
    (Method::GET, "/nowhere"),
    (Method::POST, "/buy"),
    (Method::POST, "/api/orders"),
    (Method::POST, "/api/reset"),
];

#[tokio::test]
async fn a_request_for_another_name_is_refused_whatever_it_asks() {
    let shop = Shop::open().await;

    for (method, path) in PATHS {
        for host in ["evil.example", "evil.example:3000", "localhost.evil.example", "127.0.0.1.evil.example"]
        {
            let answer = read(shop.request(method.clone(), path).header("Host", host)).await;

            let name = host.split(':').next().unwrap();
            answer.assert_problem(
                421,
                &format!("This shop does not answer to the name {name}. To let it: ALLOWED_HOSTS={name}"),
            );
        }
    }
    assert_eq!((shop.order_count().await, shop.stock().await), (0, 1));
}

#[tokio::test]
async fn a_page_whose_name_points_here_is_no_origin_of_the_shops() {
    let shop = Shop::open().await;

    // What a browser says of such a page: all of it is of one origin.
    let reset = shop.request(Method::POST, "/api/reset").header("Host", "evil.example:3000");
    let reset = reset.header("Origin", "http://evil.example:3000").header("Sec-Fetch-Site", "same-origin");

    assert_eq!(read(reset).await.status, 421);
}

#[tokio::test]
async fn addresses_localhost_and_the_names_of_the_setting_are_let_in() {
    let shop = Shop::open_with(1, |settings| {
        settings.variables = vec![("ALLOWED_HOSTS".to_owned(), "gateway, Shop.Example,".to_owned())];
    })
    .await;

    for host in [
        "127.0.0.1",
        "192.168.0.7:3000",
        "[::1]:3000",
        "localhost",
        "localhost:3000",
        "LOCALHOST.",
        "a.localhost",
        "gateway:3000",
        "shop.example",
        "SHOP.example.:80",
    ] {
        assert_eq!(read(shop.request(Method::GET, "/").header("Host", host)).await.status, 200, "{host}");
    }
    assert_eq!(read(shop.request(Method::GET, "/").header("Host", "www.shop.example")).await.status, 421);
}

#[tokio::test]
async fn a_person_sees_the_refusal_as_a_page() {
    let shop = Shop::open().await;

    let answer =
        read(shop.request(Method::GET, "/").header("Host", "shop.lan").header("Accept", "text/html")).await;

    assert_eq!(answer.status, 421);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert!(answer.body.contains("ALLOWED_HOSTS=shop.lan"), "{}", answer.body);

    let style = read(shop.request(Method::GET, "/static/shop.css").header("Host", "shop.example")).await;
    assert_eq!(style.status, 200, "the page looks as all of them do");
}

#[tokio::test]
async fn a_request_that_does_not_say_for_whom_it_is_is_refused() {
    let shop = Shop::open().await;
    let port = shop.replicas[0].port;

    for request in [
        "GET / HTTP/1.1\r\n",
        "GET http://localhost/ HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n",
        "GET / HTTP/1.0\r\nHost: localhost\r\nHost: evil.example\r\n",
    ] {
        let answer = send(port, request).await;

        assert!(answer[8..].starts_with(" 400 "), "{request}: {answer}");
    }
    for (request, detail) in [
        ("GET / HTTP/1.1\r\nHost:\r\n", "Host is neither a name nor an address"),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n", "Host is neither a name nor an address"),
        ("GET / HTTP/1.1\r\nHost: <script>\r\n", "Host is neither a name nor an address"),
        ("GET / HTTP/1.0\r\nHost: localhost:x\r\n", "Host is neither a name nor an address"),
        (
            "GET http://user@localhost/ HTTP/1.1\r\nHost: user@localhost\r\n",
            "Host is neither a name nor an address",
        ),
        (
            "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n",
            "The URL and the header Host name different hosts",
        ),
        (
            "GET http://localhost/ HTTP/1.1\r\nHost: evil.example\r\n",
            "The URL and the header Host name different hosts",
        ),
    ] {
        let answer = send(port, request).await;

        assert!(answer[8..].starts_with(" 400 "), "{request}: {answer}");
        assert!(answer.contains(&format!(r#""detail":"{detail}""#)), "{request}: {answer}");
    }
}

#[tokio::test]
async fn old_clients_need_not_say_it_and_a_whole_url_may() {
    let shop = Shop::open().await;
    let port = shop.replicas[0].port;

    for (request, status) in [
        ("GET / HTTP/1.0\r\n", 200),
        ("GET / HTTP/1.0\r\nHost: localhost\r\n", 200),
        ("GET / HTTP/1.0\r\nHost: evil.example\r\n", 421),
        ("GET http://localhost/ HTTP/1.0\r\n", 200),
        ("GET http://evil.example/ HTTP/1.0\r\n", 421),
        ("GET http://localhost/ HTTP/1.1\r\nHost: LOCALHOST\r\n", 200),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n", 421),
        ("OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n", 421),
    ] {
        let answer = send(port, request).await;

        assert!(answer[8..].starts_with(&format!(" {status} ")), "{request}: {answer}");
    }
}

#[tokio::test]
async fn behind_nginx_the_rule_is_the_same() {
    let Some(nginx) = Nginx::reserve_port() else { return };
    let shop = Shop::open_with(2, |_| {}).await;
    let nginx = nginx.start([shop.replicas[0].port, shop.replicas[1].port]).await;
    let get = |host: &str| read(shop.http.get(format!("{}/api/products", nginx.url)).header("Host", host));

    assert_eq!(get("localhost:3000").await.status, 200);
    refused(&get("evil.example").await);
    let own = shop.http.post(format!("{}/reset", nginx.url)).header("Origin", &nginx.url);
    assert_eq!(read(own).await.status, 303);
    let foreign = shop.http.post(format!("{}/reset", nginx.url)).header("Origin", "http://evil.example");
    assert_eq!(read(foreign).await.status, 403);
    let port = nginx.url.rsplit(':').next().unwrap().parse().unwrap();
    assert!(send(port, "GET /health HTTP/1.0\r\n").await.contains(" 200 "));
}

#[track_caller]
fn refused(answer: &Answer) {
    assert_eq!(answer.status, 421, "{}", answer.body);
}

/// Sends the head of a request as it stands here, and returns all that comes back.
async fn send(port: u16, head: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    connection.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
