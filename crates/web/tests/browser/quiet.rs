//! What a visitor doesn't see: errors, refused content, requests that leave the shop.

use flash_sale_testbed::testing::browser::{Chromium, Watch};
use flash_sale_testbed::testing::wait_until;
use serde_json::Value;

use crate::Shop;
use crate::shop_page::wait_for_page;

#[tokio::test]
async fn no_page_logs_an_error_breaks_its_policy_or_asks_another_host() {
    let Some(browser) = Chromium::start().await else { return };
    let shop = Shop::open().await;
    let tab = browser.open_tab().await;
    let watch = Watch::start(&tab).await;

    tab.open(&format!("{}/", shop.url)).await;
    watch.assert_quiet(&tab, &shop.url, &[]).await;

    tab.click("#buy").await;
    wait_for_page(&tab, "the page after Buy Now", |page| !page.attempts.is_empty()).await;
    watch.assert_quiet(&tab, &shop.url, &[]).await;

    tab.click("#reset").await;
    wait_for_page(&tab, "the page after Reset", |page| page.has_notice && page.attempts.is_empty()).await;
    watch.assert_quiet(&tab, &shop.url, &[]).await;

    tab.open(&format!("{}/docs/", shop.url)).await;
    let operations = count_operations(&shop).await;
    wait_until("Swagger UI shows all operations", async || {
        tab.is_true(&format!("document.querySelectorAll('.opblock').length === {operations}")).await
    })
    .await;
    watch.assert_quiet(&tab, &shop.url, &[]).await;

    let nowhere = format!("{}/nowhere", shop.url);
    tab.open(&nowhere).await;
    // The browser's own report of the 404.
    watch.assert_quiet(&tab, &shop.url, &[&nowhere]).await;
}

/// How many the OpenAPI document has.
async fn count_operations(shop: &Shop) -> usize {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let document = http.get(format!("{}/api/openapi.json", shop.url)).send().await.unwrap();
    let document: Value = document.json().await.unwrap();
    let paths = document["paths"].as_object().unwrap();
    paths.values().map(|operations| operations.as_object().unwrap().len()).sum()
}
