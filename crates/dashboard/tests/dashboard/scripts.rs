//! What scripts and other programs get: JSON, files, events, and refusals.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use flash_sale_wiretap::trace::Transaction;
use serde_json::Value;
use tokio::time::timeout;

use crate::fixtures::{as_shipped, fixed};
use crate::served::Served;

fn both() -> Vec<Transaction> {
    fixed().into_iter().chain(as_shipped()).collect()
}

async fn json(dashboard: &Served, path: &str) -> Value {
    serde_json::from_str(&dashboard.text(path).await).unwrap()
}

#[tokio::test]
async fn the_transactions_come_newest_first_and_as_many_as_are_wanted() {
    let dashboard = Served::start(both());

    let all = json(&dashboard, "/api/transactions").await;
    let numbers: Vec<u64> = all.as_array().unwrap().iter().map(|it| it["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [12, 11, 8, 7, 6, 5]);

    let newest = &json(&dashboard, "/api/transactions?limit=1").await[0];
    assert_eq!(newest["outcome"], "rolled_back");
    assert_eq!(newest["began_at"], "2026-11-22T20:31:07.250500Z");
    assert_eq!(newest["order_id"], Value::Null);
    let read = &newest["statements"][1];
    assert_eq!((&read["saw"]["quantity"], &read["rows"]), (&0.into(), &1.into()));
    assert_eq!(read["blocked_by"]["backend_pid"], 4712);
    assert_eq!(read["blocked_by"]["waited_ms"], 54.2);
    assert_eq!(read["blocked_by"]["statement"], read["sql"]);
}

#[tokio::test]
async fn a_limit_out_of_range_is_422_and_says_where() {
    let dashboard = Served::start(both());

    for limit in ["0", "1001", "-1", "many", ""] {
        let response = dashboard.get(&format!("/api/transactions?limit={limit}")).await;
        assert_eq!(response.status(), 422, "{limit}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(problem["errors"][0]["loc"], serde_json::json!(["query", "limit"]));
    }
}

#[tokio::test]
async fn the_openapi_document_describes_what_is_answered() {
    let dashboard = Served::start(both());

    let document = json(&dashboard, "/api/openapi.json").await;
    let answers = &document["paths"]["/api/transactions"]["get"]["responses"];
    assert!(answers["200"].is_object() && answers["422"].is_object(), "{document:#}");
    let names = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
    let answer = json(&dashboard, "/api/transactions?limit=1").await;
    for (schema, answered) in [
        ("TransactionView", &answer[0]),
        ("StatementView", &answer[0]["statements"][1]),
        ("WaitView", &answer[0]["statements"][1]["blocked_by"]),
    ] {
        let described = &document["components"]["schemas"][schema]["properties"];
        assert_eq!(names(described), names(answered), "{schema}");
    }
}

#[tokio::test]
async fn a_click_is_a_picture_a_text_and_what_perfetto_opens() {
    let dashboard = Served::start(both());

    let picture = dashboard.get("/clicks/11/timeline.svg").await;
    assert_eq!(picture.headers()["content-type"], "image/svg+xml");
    assert!(
        picture.headers()["content-security-policy"].to_str().unwrap().contains("style-src 'unsafe-inline'")
    );
    let text = dashboard.text("/clicks/11/timeline.txt").await;
    assert!(text.contains("... waits for A ..."), "{text}");
    assert_eq!(dashboard.text("/timeline.txt").await, text, "it is the newest");
    assert_eq!(json(&dashboard, "/clicks/11/transactions.json").await.as_array().unwrap().len(), 2);

    let trace = json(&dashboard, "/clicks/11/trace.json").await;
    let events = trace["traceEvents"].as_array().unwrap();
    let of_phase = |phase: &str| events.iter().filter(|event| event["ph"] == phase).collect::<Vec<_>>();
    assert_eq!((of_phase("M").len(), of_phase("X").len()), (4, 8), "{trace:#}");
    let (start, finish) = (of_phase("s")[0], of_phase("f")[0]);
    assert_eq!(start["id"], finish["id"]);
    let wait = of_phase("X").into_iter().find(|event| !event["args"]["blocked_by"].is_null()).unwrap();
    assert_eq!((&finish["ts"], &finish["tid"]), (&wait["ts"], &wait["tid"]));
    assert_eq!(wait["dur"], 54_700);
}

#[tokio::test]
async fn a_page_is_told_of_a_new_transaction() {
    let dashboard = Served::start(as_shipped());
    let mut events = dashboard.request("GET", "/events").send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut next = async || {
        let chunk = timeout(Duration::from_secs(5), events.chunk()).await.expect("an event in time");
        String::from_utf8(chunk.unwrap().unwrap().to_vec()).unwrap()
    };
    assert!(next().await.ends_with("event: news\ndata: 8\n\n"));

    for transaction in fixed().into_iter().rev() {
        dashboard.add(transaction);
    }

    while next().await != "event: news\ndata: 12\n\n" {}
    assert!(dashboard.text("/").await.contains("data-news=\"12\""));
}

#[tokio::test]
async fn a_page_is_not_told_more_often_than_four_times_a_second() {
    let dashboard = Served::start(as_shipped());
    let mut events = dashboard.request("GET", "/events").send().await.unwrap();
    events.chunk().await.unwrap();

    let begin = Instant::now();
    for number in 100..140 {
        dashboard.add(Transaction { number, ..fixed().remove(0) });
        dashboard.text("/timeline.txt").await;
    }
    let mut told = 0;
    loop {
        let chunk = timeout(Duration::from_secs(5), events.chunk()).await.expect("an event in time");
        told += 1;
        if String::from_utf8_lossy(&chunk.unwrap().unwrap()).contains("data: 139\n") {
            break;
        }
    }

    let most = begin.elapsed().as_millis() / 250 + 1;
    assert!(told <= most, "{told} events, where {most} had room");
}

#[tokio::test]
async fn there_is_a_limit_of_pages_that_are_told_and_a_place_is_given_back() {
    let dashboard = Served::start(as_shipped());
    let mut streams = Vec::new();
    let refused = loop {
        let response = dashboard.request("GET", "/events").send().await.unwrap();
        if response.status() != 200 || streams.len() > 100 {
            break response;
        }
        streams.push(response);
    };

    assert_eq!((streams.len(), refused.status().as_u16()), (32, 503));
    assert_eq!(refused.headers()["retry-after"], "1");
    streams.clear();
    timeout(Duration::from_secs(20), async {
        while dashboard.request("GET", "/events").send().await.unwrap().status() != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("a place is given back when its page has gone");
}

#[tokio::test]
async fn it_answers_only_to_its_own_names_and_changes_nothing_for_other_sites() {
    let dashboard = Served::start(as_shipped());
    let status = async |method: &str, path: &str, name: &str, value: &str| {
        dashboard.request(method, path).header(name, value).send().await.unwrap().status().as_u16()
    };

    for path in ["/", "/api/transactions", "/events", "/clicks/7/timeline.svg"] {
        assert_eq!(status("GET", path, "host", "evil.example").await, 421, "{path}");
    }
    assert_eq!(status("GET", "/", "host", "lab.example:4000").await, 200);
    assert_eq!(status("GET", "/static/lab.css", "host", "evil.example").await, 200);
    assert_eq!(status("POST", "/", "origin", "http://evil.example").await, 403);
    for (method, path, allowed) in [
        ("POST", "/api/transactions", "GET, HEAD"),
        ("POST", "/static/lab.css", "GET, HEAD"),
        ("PUT", "/verdict", "GET, HEAD, POST"),
    ] {
        let refused = dashboard.request(method, path).send().await.unwrap();
        let told = (refused.status().as_u16(), refused.headers()["allow"].to_str().unwrap());
        assert_eq!(told, (405, allowed), "{method} {path}");
    }
    assert_eq!(dashboard.request("HEAD", "/").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn each_answer_tells_browsers_what_to_refuse() {
    let dashboard = Served::start(as_shipped());

    for path in ["/", "/clicks/7", "/api/transactions", "/static/lab.js", "/nothing", "/events"] {
        let response = dashboard.get(path).await;
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(
            response.headers()["cache-control"],
            if path.starts_with("/static") { "no-cache" } else { "no-store" }
        );
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
    }
}
