//! What `lab check` says of trees that don't do what a shop does. A gateway of the tests' own plays these trees, in
//! front of real replicas: it answers one path in its own way, and hands everything else on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flash_sale_testbed::testing::{Replica, ReplicaSettings, TestDatabase};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::check::what_is_there;
use super::*;

/// The longest time that a check may take, whatever it judges.
const LIMIT: Duration = Duration::from_secs(60);
const ORDERS: &str = "POST /api/orders ";
const CHECKS: usize = 13;

/// What the gateway does instead of answering.
#[derive(Clone, Copy)]
enum Oddity {
    /// It says nothing, for ever.
    Silence,
    /// It closes the connection, as a process that ends does.
    Close,
    /// It gives an answer with this status and this body.
    Answer(&'static str, &'static str),
    /// It gives an answer that has no end.
    Endless,
    /// It gives the replicas' own answer, but later.
    Late(Duration),
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn a_purchase_that_never_returns() {
    let judged = judge(ORDERS, Oddity::Silence).await;

    judged.assert_failed("one click", "no answer after 10 s + no answer after 10 s", "Nobody gets the book");
    judged.assert_failed(
        "no failures",
        "no answer within 10 s",
        "waited for seconds for something that didn't come",
    );
    judged.assert_failed(
        "crowd of 50",
        "left out: a purchase without other buyers fails, too (no answer",
        "",
    );
}

#[tokio::test]
async fn a_process_that_ends_in_each_purchase() {
    let judged = judge(ORDERS, Oddity::Close).await;

    judged.assert_failed("one click", "0 orders, stock 1, no answer", "Nobody gets the book");
    judged.assert_failed("no failures", "the connection broke", "docker compose ps (restarts)");
    judged.assert_failed("replicas", "2 alive: replica-1, replica-2; nothing was sold", "sells nothing");
}

#[tokio::test]
async fn a_failure_instead_of_each_purchase() {
    let judged = judge(ORDERS, Oddity::Answer("500 Internal Server Error", "")).await;

    judged.assert_failed("no failures", "7 × 500", "reason is in the log: make docker-logs");
    judged.assert_failed("retry", "0 of 5 clicks made two requests", "Each click failed or sold nothing");
    judged.assert_failed("race window", "left out: nothing was sold", "");
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn a_page_instead_of_each_order() {
    let judged = judge(ORDERS, Oddity::Answer("200 OK", "<html>Sold!</html>")).await;

    judged.assert_failed("crowd of 200", "(200 without an order)", "");
    // 50, or more: a click whose first answer took long has a second one.
    judged.assert_failed("honest answers", "answers and orders don't match", "");
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn nothing_instead_of_each_order() {
    judge(ORDERS, Oddity::Answer("200 OK", "")).await.assert_failed("honest answers", "don't match", "");
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn an_answer_without_an_end() {
    judge(ORDERS, Oddity::Endless).await.assert_failed("no failures", "", "");
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn a_redirect_in_circles() {
    let judged = judge(ORDERS, Oddity::Answer("307 Temporary Redirect\r\nLocation: /api/orders", "")).await;

    judged.assert_failed("crowd of 50", "left out: a purchase without other buyers fails, too (307)", "");
    judged.assert_failed("one click", "stock 1, no answer", "");
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn a_purchase_that_takes_a_minute() {
    let judged = judge(ORDERS, Oddity::Late(LIMIT)).await;

    judged.assert_failed("one click", "no answer after 10 s", "");
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn a_purchase_that_takes_long_for_another_reason_than_its_payment() {
    let judged = judge(ORDERS, Oddity::Late(Duration::from_millis(400))).await;

    // The gateway also delays the purchase that serves as the reference, because it can't tell them apart.
    judged.assert_failed("race window", "a purchase without other buyers took ", "");
    judged.assert_failed("no lost sale", "left out: a purchase without other buyers takes ", "");
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn a_refused_reset() {
    let judged = judge("POST /reset ", Oddity::Answer("500 Internal Server Error", "")).await;

    judged.assert_failed(
        "one click",
        "0 of 5 rounds; one failed round: POST /reset: 500",
        "not reset the shop",
    );
    judged.assert_failed("retry", "left out: no click could be made", "");
    judged.assert_failed("no failures", "5 × POST /reset: 500", "");
    assert!(judged.errors.contains("the shop could not be reset: POST /reset: 500"), "{}", judged.errors);
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn a_page_that_is_no_page() {
    let judged = judge("POST /buy ", Oddity::Answer("200 OK", "<html>Thanks!</html>")).await;

    judged.assert_failed(
        "one click",
        "POST /buy: 200 instead of the page",
        "could not reset the shop, click",
    );
}

#[tokio::test]
#[ignore = "with the others, minutes"]
async fn a_list_of_orders_that_is_none() {
    let judged = judge("GET /api/orders ", Oddity::Answer("200 OK", "<html>")).await;

    judged.assert_failed("one click", "GET /api/orders", "");
    judged.assert_failed(
        "conservation",
        "the API's account of a sale could not be read: GET /api/orders",
        "",
    );
}

struct Judged {
    report: Value,
    errors: String,
}

impl Judged {
    /// Expects that the check has failed, and that it says at least this.
    #[track_caller]
    fn assert_failed(&self, name: &str, seen: &str, meaning: &str) {
        let check =
            self.report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap();
        let says = |field: &str, text| check[field].as_str().is_some_and(|said| said.contains(text));
        assert!(says("seen", seen) && says("meaning", meaning), "{:#}", self.report);
    }
}

/// Judges such a tree. The verdict must come in time, as one object, with all its checks. The shop's own rows must be
/// left as they were.
async fn judge(path: &'static str, oddity: Oddity) -> Judged {
    let database = TestDatabase::create().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut replicas = Vec::new();
    for name in ["replica-1", "replica-2"] {
        let settings = ReplicaSettings {
            name: name.to_owned(),
            order_api_url: Some(format!("{url}/api/orders")),
            ..ReplicaSettings::new(&database.shop_url)
        };
        replicas.push(Replica::start(&Path::new(LAB).with_file_name("flash-sale-web"), settings).await);
    }
    let gateway = tokio::spawn(run_gateway(listener, [replicas[0].port, replicas[1].port], path, oddity));

    let begun = Instant::now();
    let mut check = Command::new(LAB);
    for name in OF_ONE_SHOP {
        check.env_remove(name);
    }
    let check = check.args(["check", "--json", "--url", &url]).env("DATABASE_URL", &database.url);
    let check = Outcome::of(check.output().await.unwrap());
    let took = begun.elapsed();
    gateway.abort();

    let report: Value = serde_json::from_str(&check.output).unwrap_or_else(|_| panic!("{}", check.errors));
    assert!(took < LIMIT, "{took:?}");
    assert_eq!(report["checks"].as_array().unwrap().len(), CHECKS, "{report:#}");
    assert_ne!(report["verdict"], "fixed", "{report:#}");
    assert_eq!((check.code, report.get("error")), (1, None));
    assert!(!check.output.contains("RACE_WINDOW_MS") || matches!(oddity, Oddity::Late(_)), "{report:#}");
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    Judged { report, errors: check.errors }
}

async fn run_gateway(listener: TcpListener, ports: [u16; 2], path: &'static str, oddity: Oddity) {
    let turn = Arc::new(AtomicU16::new(0));
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let turn = turn.clone();
        // When a client leaves, that breaks its own connection, and nothing else.
        tokio::spawn(async move { serve(client, &turn, ports, path, oddity).await.unwrap_or_default() });
    }
}

async fn serve(
    mut client: TcpStream,
    turn: &AtomicU16,
    ports: [u16; 2],
    path: &str,
    oddity: Oddity,
) -> std::io::Result<()> {
    let mut request = vec![0; 4096];
    let length = client.read(&mut request).await?;
    request.truncate(length);
    if request.starts_with(path.as_bytes()) {
        match oddity {
            Oddity::Silence => std::future::pending().await,
            Oddity::Close => return Ok(()),
            Oddity::Answer(status, body) => {
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                return client.write_all(answer.as_bytes()).await;
            }
            Oddity::Endless => {
                client.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await?;
                loop {
                    client.write_all(&[b' '; 65_536]).await?;
                    // The replica's checkout client keeps the whole answer for ten seconds.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Oddity::Late(delay) => tokio::time::sleep(delay).await,
        }
    }
    let port = ports[usize::from(turn.fetch_add(1, Ordering::SeqCst) % 2)];
    let mut replica = TcpStream::connect(("127.0.0.1", port)).await?;
    replica.write_all(&request).await?;
    copy_bidirectional(&mut client, &mut replica).await?;
    Ok(())
}
