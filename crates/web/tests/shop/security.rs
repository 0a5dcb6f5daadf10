//! What a browser is told to refuse, and what the shop refuses a browser.

use reqwest::Method;

use crate::routes::routes;
use crate::{Shop, read};

#[tokio::test]
async fn every_page_and_answer_brings_the_security_headers() {
    let shop = Shop::open().await;

    for path in ["/", "/nowhere", "/static/shop.css", "/api/products", "/docs/"] {
        let answer = shop.get(path).await;

        let policy = answer.header("content-security-policy");
        for rule in ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"]
        {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
    }
    assert!(!shop.get("/").await.header("content-security-policy").contains("unsafe"));
}

#[tokio::test]
async fn a_page_is_not_kept_and_a_file_is_asked_for_again() {
    let shop = Shop::open().await;

    assert_eq!(shop.get("/").await.header("cache-control"), "no-store");
    assert_eq!(shop.get("/api/products").await.header("cache-control"), "no-store");
    let file = shop.get("/static/shop.css").await;
    assert_eq!(file.header("cache-control"), "no-cache");
    let again = shop.request(Method::GET, "/static/shop.css").header("If-None-Match", file.header("etag"));
    assert_eq!(read(again).await.status, 304);
}

#[tokio::test]
async fn what_changes_something_refuses_another_sites_page() {
    let shop = Shop::open().await;
    let own = shop.replicas[0].url.replace("http://", "");
    let foreign: &[&[(&str, &str)]] = &[
        &[("Origin", "http://elsewhere.example")],
        &[("Origin", "null")],
        &[("Origin", "")],
        &[("Origin", "http://127.0.0.1:1")],
        &[("Origin", "http://127.0.0.1")],
        &[("Origin", &format!("ftp://{own}"))],
        &[("Origin", &format!("http://{own}/"))],
        &[("Origin", &format!("http://{own}.elsewhere.example"))],
        &[("Origin", &format!("http://elsewhere.example http://{own}"))],
        &[("Origin", &format!("http://{own}")), ("Origin", "http://elsewhere.example")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "Same-Origin")],
        &[("Sec-Fetch-Site", "")],
        &[("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-origin"), ("Origin", "http://elsewhere.example")],
        &[("Sec-Fetch-Site", "cross-site"), ("Origin", &format!("http://{own}"))],
    ];

    for path in paths_that_change_something() {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            for headers in foreign {
                let request = shop.request(method.clone(), path);
                let request =
                    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
                let answer = read(request).await;

                assert_eq!(answer.status, 403, "{method} {path} {headers:?}");
                answer.assert_problem(403, "This request comes from another site");
            }
        }
    }
    assert_eq!((shop.order_count().await, shop.stock().await), (0, 1));
}

/// All paths of `routes.rs` with a POST.
fn paths_that_change_something() -> Vec<&'static str> {
    let routes = routes().into_iter().filter(|route| route.methods.contains(&"POST"));
    let paths: Vec<&str> = routes.map(|route| route.path).collect();
    assert_eq!(paths, ["/buy", "/reset", "/api/orders", "/api/reset"]);
    paths
}

#[tokio::test]
async fn the_shops_own_page_and_programs_are_let_in() {
    let shop = Shop::open().await;
    let own = shop.replicas[0].url.clone();

    let from_page =
        shop.request(Method::POST, "/reset").header("Origin", &own).header("Sec-Fetch-Site", "same-origin");
    assert_eq!(read(from_page).await.status, 303);
    assert_eq!(shop.post("/reset").await.status, 303);
    let looks = shop.request(Method::GET, "/").header("Origin", "http://elsewhere.example");
    assert_eq!(read(looks).await.status, 200, "looking changes nothing");
}

#[tokio::test]
async fn files_outside_the_static_folder_are_out_of_reach() {
    let shop = Shop::open().await;

    for path in
        ["/static/..%2fCargo.toml", "/static/%2e%2e/Cargo.toml", "/static//etc/passwd", "/static/.hidden"]
    {
        let answer = shop.get(path).await;

        assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
    }
}
