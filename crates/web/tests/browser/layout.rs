//! The page fits the window.

use flash_sale_testbed::testing::browser::{Chromium, Tab};
use sea_orm::ConnectionTrait;

use crate::Shop;
use crate::shop_page::wait_for_page;

const PHONE: i64 = 360;
const DESKTOP: i64 = 1280;

#[tokio::test]
async fn no_state_of_the_page_scrolls_sideways_on_a_phone_or_a_desktop() {
    let Some(browser) = Chromium::start().await else { return };
    let shop = Shop::open().await;
    let tab = browser.open_tab().await;

    tab.open(&format!("{}/", shop.url)).await;
    assert_fits(&tab, "with one copy").await;

    tab.click("#buy").await;
    wait_for_page(&tab, "the page after Buy Now", |page| page.has_notice).await;
    assert_fits(&tab, "after Buy Now").await;

    let sell_out = "UPDATE products SET quantity = 0; DELETE FROM orders";
    shop.database.connection.execute_unprepared(sell_out).await.unwrap();
    tab.open(&format!("{}/", shop.url)).await;
    assert_fits(&tab, "out of stock").await;
}

/// Ends at the width of a desktop.
async fn assert_fits(tab: &Tab, state: &str) {
    for width in [PHONE, DESKTOP] {
        tab.set_width(width).await;
        let element = "document.documentElement";
        let widths = tab.evaluate(&format!("[{element}.scrollWidth, {element}.clientWidth]")).await;
        let (content, window): (i64, i64) = widths.unwrap();
        assert!(content <= window, "{state}, the page is {content} px wide in a window of {window} px");
    }
}
