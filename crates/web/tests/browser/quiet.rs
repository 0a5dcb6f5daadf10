//! What a visitor doesn't see: errors, refused content, requests that leave the shop.

use chromiumoxide::cdp::browser_protocol::log::{EventEntryAdded, LogEntryLevel};
use chromiumoxide::cdp::browser_protocol::network::EventRequestWillBeSent;
use chromiumoxide::cdp::js_protocol::runtime::{EventConsoleApiCalled, EventExceptionThrown};
use flash_sale_testbed::testing::wait_until;

use crate::Shop;
use crate::chromium::Chromium;
use crate::tab::{Events, Tab};

/// Keeps what the browser reports about the pages of a tab.
struct Watch {
    exceptions: Events<EventExceptionThrown>,
    console: Events<EventConsoleApiCalled>,
    log: Events<EventEntryAdded>,
    requests: Events<EventRequestWillBeSent>,
}

#[tokio::test]
async fn no_page_logs_an_error_breaks_its_policy_or_asks_another_host() {
    let Some(browser) = Chromium::start().await else { return };
    let shop = Shop::open().await;
    let tab = browser.open_tab().await;
    let mut watch = Watch::start(&tab).await;

    tab.open(&format!("{}/", shop.url)).await;
    watch.assert_quiet(&tab, &shop, &[]).await;

    tab.click("#buy").await;
    tab.wait_for_page("the page after Buy Now", |page| !page.attempts.is_empty()).await;
    watch.assert_quiet(&tab, &shop, &[]).await;

    tab.click("#reset").await;
    tab.wait_for_page("the page after Reset", |page| page.has_notice && page.attempts.is_empty()).await;
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
        let watch = Self {
            exceptions: tab.keep().await,
            console: tab.keep().await,
            log: tab.keep().await,
            requests: tab.keep().await,
        };
        tab.report_errors().await;
        watch
    }

    /// Asserts that the page has asked the shop only, and that nothing was reported but one failure to load
    /// each of `missing`.
    async fn assert_quiet(&mut self, tab: &Tab, shop: &Shop, missing: &[&str]) {
        // Its answer comes after all reports of what the page has done.
        let page: String = tab.evaluate("location.href").await.unwrap();

        let requests = self.requests.take(tab);
        assert!(!requests.is_empty(), "{page}: the browser reports its requests");
        for request in requests {
            let url = &request.request.url;
            let is_ours = url.starts_with(&format!("{}/", shop.url)) || url.starts_with("data:");
            assert!(is_ours, "{page} asks for {url}");
        }
        let mut failures = Vec::new();
        for event in self.log.take(tab) {
            let entry = &event.entry;
            match &entry.url {
                Some(url) if entry.text.contains("404") => failures.push(url.clone()),
                _ if entry.level == LogEntryLevel::Verbose => {}
                _ => panic!("{page}: {entry:?}"),
            }
        }
        assert_eq!(failures, missing, "{page}");
        assert_eq!(format!("{:?}", self.exceptions.take(tab)), "[]", "{page}");
        assert_eq!(format!("{:?}", self.console.take(tab)), "[]", "{page}");
    }
}

/// How many the OpenAPI document has.
async fn count_operations(shop: &Shop) -> usize {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let document = http.get(format!("{}/api/openapi.json", shop.url)).send().await.unwrap();
    let document: serde_json::Value = document.json().await.unwrap();
    let paths = document["paths"].as_object().unwrap();
    paths.values().map(|operations| operations.as_object().unwrap().len()).sum()
}
