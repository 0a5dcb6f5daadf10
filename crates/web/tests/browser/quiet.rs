//! What a visitor doesn't see: errors, refused content, requests that leave the shop.

use flash_sale_testbed::testing::browser::{Chromium, Events, Tab};
use flash_sale_testbed::testing::wait_until;
use serde_json::Value;

use crate::Shop;
use crate::shop_page::wait_for_page;

/// Keeps what the browser reports about the pages of a tab.
struct Watch {
    exceptions: Events,
    console: Events,
    log: Events,
    requests: Events,
}

#[tokio::test]
async fn no_page_logs_an_error_breaks_its_policy_or_asks_another_host() {
    let Some(browser) = Chromium::start().await else { return };
    let shop = Shop::open().await;
    let tab = browser.open_tab().await;
    let watch = Watch::start(&tab).await;

    tab.open(&format!("{}/", shop.url)).await;
    watch.assert_quiet(&tab, &shop, &[]).await;

    tab.click("#buy").await;
    wait_for_page(&tab, "the page after Buy Now", |page| !page.attempts.is_empty()).await;
    watch.assert_quiet(&tab, &shop, &[]).await;

    tab.click("#reset").await;
    wait_for_page(&tab, "the page after Reset", |page| page.has_notice && page.attempts.is_empty()).await;
    watch.assert_quiet(&tab, &shop, &[]).await;

    tab.open(&format!("{}/docs/", shop.url)).await;
    let operations = count_operations(&shop).await;
    wait_until("Swagger UI shows all operations", async || {
        tab.is_true(&format!("document.querySelectorAll('.opblock').length === {operations}")).await
    })
    .await;
    watch.assert_quiet(&tab, &shop, &[]).await;

    let nowhere = format!("{}/nowhere", shop.url);
    tab.open(&nowhere).await;
    // The browser's own report of the 404.
    watch.assert_quiet(&tab, &shop, &[&nowhere]).await;
}

impl Watch {
    async fn start(tab: &Tab) -> Self {
        Self {
            exceptions: tab.keep("Runtime.exceptionThrown").await,
            console: tab.keep("Runtime.consoleAPICalled").await,
            log: tab.keep("Log.entryAdded").await,
            requests: tab.keep("Network.requestWillBeSent").await,
        }
    }

    /// Asserts that the page has asked the shop only, and that nothing was reported but one failure to load
    /// each of `missing`.
    async fn assert_quiet(&self, tab: &Tab, shop: &Shop, missing: &[&str]) {
        // Its answer comes after all reports of what the page has done.
        let page: String = tab.evaluate("location.href").await.unwrap();

        let requests = self.requests.take();
        assert!(!requests.is_empty(), "{page}: the browser reports its requests");
        for request in requests {
            let url = request["request"]["url"].as_str().unwrap();
            let is_ours = url.starts_with(&format!("{}/", shop.url)) || url.starts_with("data:");
            assert!(is_ours, "{page} asks for {url}");
        }
        let mut failures = Vec::new();
        for event in self.log.take() {
            let entry = &event["entry"];
            match entry["url"].as_str() {
                Some(url) if entry["text"].as_str().unwrap().contains("404") => failures.push(url.to_owned()),
                _ if entry["level"] == "verbose" => {}
                _ => panic!("{page}: {entry:?}"),
            }
        }
        assert_eq!(failures, missing, "{page}");
        assert_eq!(self.exceptions.take(), Vec::<Value>::new(), "{page}");
        assert_eq!(self.console.take(), Vec::<Value>::new(), "{page}");
    }
}

/// How many the OpenAPI document has.
async fn count_operations(shop: &Shop) -> usize {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let document = http.get(format!("{}/api/openapi.json", shop.url)).send().await.unwrap();
    let document: Value = document.json().await.unwrap();
    let paths = document["paths"].as_object().unwrap();
    paths.values().map(|operations| operations.as_object().unwrap().len()).sum()
}
