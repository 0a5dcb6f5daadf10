//! What holds for every answer: names, ids, methods, limits.

use reqwest::{Body, Method};

use crate::routes::routes;
use crate::{Answer, Shop, read};

const KIB: usize = 1024;

#[tokio::test]
async fn every_answer_names_its_replica_and_has_an_id() {
    let shop = Shop::open().await;
    let buy_nothing = read(shop.request(Method::POST, "/api/orders").body("{}")).await;
    let refused = read(shop.request(Method::POST, "/reset").header("Origin", "http://elsewhere")).await;

    for answer in [
        shop.get("/").await,
        shop.get("/static/shop.css").await,
        shop.get("/static/nothing").await,
        shop.get("/docs").await,
        shop.get("/api/products").await,
        shop.get("/api/products/7").await,
        shop.get("/nowhere").await,
        shop.get("/health").await,
        shop.post("/health").await,
        shop.post("/api/reset").await,
        buy_nothing,
        refused,
    ] {
        assert_eq!(answer.header("x-served-by"), "replica-1");
        assert_eq!(answer.header("x-request-id").len(), 36, "a new UUID");
    }
}

#[tokio::test]
async fn the_callers_id_comes_back_and_stands_in_the_log_line() {
    let shop = Shop::open().await;

    let answer = read(shop.request(Method::GET, "/api/orders").header("X-Request-Id", "click-4711")).await;

    assert_eq!(answer.header("x-request-id"), "click-4711");
    let log = shop.replicas[0].log();
    let line = log.lines().find(|line| line.contains("click-4711")).unwrap();
    assert!(line.contains("GET /api/orders 200 ") && line.contains(" ms replica-1 "), "{line}");
}

#[tokio::test]
async fn an_id_that_does_not_fit_a_log_line_is_replaced() {
    let shop = Shop::open().await;

    for id in ["", "two words", &"x".repeat(129), "naïve"] {
        let answer = read(shop.request(Method::GET, "/health").header("X-Request-Id", id)).await;

        assert_eq!(answer.header("x-request-id").len(), 36, "{id:?}");
    }
}

#[tokio::test]
async fn a_path_that_is_not_there_is_404() {
    let shop = Shop::open().await;

    for path in ["/nowhere", "/api", "/api/products/", "/static/nothing", "/docs/nothing", "/Buy"] {
        shop.get(path).await.assert_problem(404, "Not Found");
    }
}

#[tokio::test]
async fn a_person_gets_an_error_as_a_page_and_a_program_as_a_document() {
    let shop = Shop::open().await;
    let as_person = |path| {
        let accept = "text/html,application/xhtml+xml,*/*;q=0.8";
        read(shop.request(Method::GET, path).header("Accept", accept))
    };

    let page = as_person("/nowhere").await;
    assert_eq!(page.status, 404);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.body.contains("Not Found") && page.body.contains(r#"href="/""#));

    as_person("/api/nowhere").await.assert_problem(404, "Not Found");
}

#[tokio::test]
async fn another_method_is_405_and_told_all_that_are_allowed() {
    let shop = Shop::open().await;

    for (path, methods) in paths(&shop).await {
        let allowed = methods.join(", ");
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            if methods.contains(&method) {
                continue;
            }
            let answer = read(shop.request(method.parse().unwrap(), &path)).await;

            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), allowed, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn head_is_answered_as_get_without_the_body() {
    let shop = Shop::open().await;

    let paths = paths(&shop).await;
    for (path, _) in paths.iter().filter(|(_, methods)| methods.contains(&"HEAD")) {
        let get = shop.get(path).await;
        let head = read(shop.request(Method::HEAD, path)).await;

        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.body, "", "{path}");
        // The page names the request's id and the documents don't: each is as long as its GET.
        assert_eq!(content_length(&head), content_length(&get), "{path}");
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_413_whether_it_says_its_length_or_not() {
    let shop = Shop::open().await;
    let order = |length: usize| {
        let padding = " ".repeat(length - 2);
        format!("{{{padding}}}")
    };
    let in_chunks = |body: String| {
        let chunks = body.as_bytes().chunks(KIB).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()));
        Body::wrap_stream(futures::stream::iter(chunks.collect::<Vec<_>>()))
    };

    for (path, _) in paths(&shop).await.iter().filter(|(_, methods)| methods.contains(&"POST")) {
        let too_long = read(shop.request(Method::POST, path).body(order(64 * KIB + 1))).await;
        too_long.assert_problem(413, "The body is longer than 64 KiB");
    }
    let too_long = read(shop.request(Method::POST, "/api/orders").body(in_chunks(order(64 * KIB + 1)))).await;
    too_long.assert_problem(413, "The body is longer than 64 KiB");

    let just_fits = read(shop.request(Method::POST, "/api/orders").body(order(64 * KIB))).await;
    assert_eq!(just_fits.status, 422, "read, and found to be no order");
    let just_fits = read(shop.request(Method::POST, "/api/orders").body(in_chunks(order(64 * KIB)))).await;
    assert_eq!(just_fits.status, 422);
}

/// Each path that `routes.rs` names, with its methods. A path of many pages stands for one that is there.
async fn paths(shop: &Shop) -> Vec<(String, Vec<&'static str>)> {
    let book = shop.book().await.to_string();
    let one_that_is_there = |path: &str| match path {
        "/static" => "/static/shop.css".to_owned(),
        path => path.replace("{id}", &book).replace("{file:.*}", "index.html"),
    };
    routes().into_iter().map(|route| (one_that_is_there(route.path), route.methods)).collect()
}

#[track_caller]
fn content_length(answer: &Answer) -> Option<&str> {
    answer.headers.get("content-length").map(|length| length.to_str().unwrap())
}
