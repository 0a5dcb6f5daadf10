//! Buy Now and Reset, pressed with the mouse and from the keyboard.

use std::time::Duration;

use flash_sale_testbed::testing::browser::{Chromium, Key, Tab};
use flash_sale_testbed::testing::wait_until;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::Shop;
use crate::shop_page::{ShopPage, wait_for_page};

/// Has the page write down each press of Buy Now and each change of its words, for the page that comes after
/// it to be asked: while a form is under way, Chromium lets nobody look into the page.
const NOTE_PRESSES: &str = r##"{
    const button = document.querySelector("#buy");
    const note = (what) => sessionStorage.noted = (sessionStorage.noted ?? "") + what + ", ";
    button.addEventListener("click", () => note("pressed"));
    new MutationObserver(() => note(button.textContent)).observe(button, { childList: true });
}"##;

#[tokio::test]
async fn one_click_buys_and_reset_puts_the_copy_back() {
    let Some(browser) = Chromium::start().await else { return };
    let shop = Shop::open().await;
    let tab = browser.open_tab().await;

    buy_and_reset(&tab, &shop).await;
}

#[tokio::test]
async fn without_javascript_the_shop_does_the_same() {
    let Some(browser) = Chromium::start().await else { return };
    let shop = Shop::open().await;
    let tab = browser.open_tab().await;
    tab.switch_javascript_off().await;

    buy_and_reset(&tab, &shop).await;
}

#[tokio::test]
async fn the_keyboard_alone_buys_and_puts_the_copy_back() {
    let Some(browser) = Chromium::start().await else { return };
    let shop = Shop::open().await;
    let tab = browser.open_tab().await;
    tab.open(&format!("{}/", shop.url)).await;

    press_with_the_keyboard(&tab, "#buy").await;
    let bought = wait_for_page(&tab, "the page after Buy Now", |page| page.has_notice).await;
    bought.assert_one_click_was_answered();

    press_with_the_keyboard(&tab, "#reset").await;
    let afresh = |page: &ShopPage| page.has_notice && page.attempts.is_empty();
    wait_for_page(&tab, "the page after Reset", afresh).await;
}

#[tokio::test]
async fn while_an_order_is_under_way_the_button_says_so_and_a_second_press_sends_nothing() {
    let Some(browser) = Chromium::start().await else { return };
    // Takes the order and never answers it.
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api_url = format!("http://{}/api/orders", api.local_addr().unwrap());
    let shop = Shop::open_with(|settings| settings.order_api_url = Some(api_url.clone())).await;
    let tab = browser.open_tab().await;
    tab.open(&format!("{}/", shop.url)).await;
    let requests = tab.keep("Network.requestWillBeSent").await;
    tab.evaluate::<()>(NOTE_PRESSES).await;
    let button = tab.middle_of("#buy").await;

    tab.press(button).await;
    let order = timeout(Duration::from_secs(10), api.accept()).await.expect("an order is under way");
    tab.press(button).await;
    drop((order, api));
    wait_for_page(&tab, "the page after Buy Now", |page| page.has_notice).await;

    let noted: Option<String> = tab.evaluate("sessionStorage.noted").await;
    assert_eq!(noted.as_deref(), Some("pressed, Processing…, pressed, "));
    let requests = requests.take();
    let posts = requests.iter().map(|event| &event["request"]).filter(|request| request["method"] == "POST");
    let posts: Vec<&str> = posts.map(|request| request["url"].as_str().unwrap()).collect();
    assert_eq!(posts, [format!("{}/buy", shop.url)]);
}

async fn buy_and_reset(tab: &Tab, shop: &Shop) {
    tab.open(&format!("{}/", shop.url)).await;
    wait_for_page(tab, "one copy is on sale", |page| page.stock == "1 available").await;

    tab.click("#buy").await;
    let bought = wait_for_page(tab, "the page after Buy Now", |page| page.has_notice).await;
    bought.assert_one_click_was_answered();

    tab.click("#reset").await;
    let afresh = |page: &ShopPage| page.has_notice && page.attempts.is_empty();
    let reset = wait_for_page(tab, "the page after Reset", afresh).await;
    assert_eq!((reset.stock.as_str(), reset.final_stock.as_str()), ("1 available", "1"));
    assert!(reset.orders.is_empty(), "{reset:#?}");
}

/// Goes from element to element until this one has the focus.
async fn press_with_the_keyboard(tab: &Tab, selector: &str) {
    let has_focus = format!("document.activeElement.matches({selector:?})");
    wait_until(&format!("{selector} has the focus"), async || {
        tab.press_key(Key::Tab).await;
        tab.is_true(&has_focus).await
    })
    .await;
    tab.press_key(Key::Enter).await;
}
