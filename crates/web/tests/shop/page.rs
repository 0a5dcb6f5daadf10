//! The page and its forms, as HTML. `tests/browser/` looks at them in a real browser.

use reqwest::Method;

use crate::{Answer, Shop, read};

#[tokio::test]
async fn the_page_shows_the_book_and_its_stock() {
    let shop = Shop::open().await;

    let page = shop.get("/").await;

    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    for fact in ["Napping Through Incidents", "Lazy Bird", "2019", "9.99", "/static/cover.svg"] {
        assert!(page.body.contains(fact), "{fact}");
    }
    assert_eq!(text(&page, "stock"), "1 available");
    assert_eq!(text(&page, "buy"), "Buy Now");
    assert_eq!(text(&page, "rendered-by"), "replica-1");
    assert!(!page.body.contains(r#"id="notice""#));
}

#[tokio::test]
async fn the_stock_is_said_in_words() {
    let shop = Shop::open().await;

    for (quantity, words) in [(3, "3 available"), (0, "Out of stock"), (-1, "-1 (oversold)")] {
        shop.execute(&format!("UPDATE products SET quantity = {quantity}")).await;

        let page = shop.get("/").await;

        assert_eq!(text(&page, "stock"), words);
        assert_eq!(text(&page, "final-stock"), quantity.to_string());
        assert_eq!(
            page.body.contains("disabled"),
            quantity <= 0,
            "Buy Now can be pressed only while there is stock"
        );
    }
}

#[tokio::test]
async fn orders_stand_newest_first_with_the_gap_to_the_one_before() {
    let shop = Shop::open().await;
    shop.execute(
        "INSERT INTO orders (product_id, served_by, created_at) SELECT id, served_by, created FROM products, (VALUES
            ('replica-1', timestamptz '2026-11-22 17:17:00.916123Z'),
            ('replica-2', timestamptz '2026-11-22 17:17:00.966323Z')) AS sold (served_by, created)",
    )
    .await;

    let page = shop.get("/").await.body;

    let newest = page.find("17:17:00.966").unwrap();
    let oldest = page.find("17:17:00.916").unwrap();
    assert!(newest < oldest);
    assert_eq!(page.matches("50.2 ms").count(), 1);
    assert!(page.contains(r#"data-served-by="replica-2""#));
}

#[tokio::test]
async fn the_page_shows_the_newest_hundred_of_many_orders() {
    let shop = Shop::open().await;
    shop.execute(
        "INSERT INTO orders (product_id, served_by) SELECT id, 'replica-1' FROM products, generate_series(1, 101)",
    )
    .await;

    let page = shop.get("/").await.body;

    assert_eq!(page.matches("data-order=").count(), 100);
    assert!(page.contains("Newest 100 of 101"));
    assert_eq!(
        page.matches(" ms</td>").count(),
        100,
        "the last row has a gap too: there is an order before it"
    );
}

#[tokio::test]
async fn titles_are_text_not_markup() {
    let shop = Shop::open().await;
    shop.execute("UPDATE products SET title = '<script>alert(1)</script>'").await;

    let page = shop.get("/").await.body;

    assert!(!page.contains("<script>alert"));
}

#[tokio::test]
async fn buy_now_answered_in_time_sends_one_request_and_reports_it_once() {
    let shop = Shop::open_with(1, |settings| {
        settings.race_window_ms = 0;
        settings.retry_after_ms = 10_000;
    })
    .await;

    let bought = shop.post("/buy").await;

    assert_eq!((bought.status.as_u16(), bought.header("location")), (303, "/"));
    assert_eq!((shop.order_count().await, shop.stock().await), (1, 0));
    let page = page_after(&shop, &bought).await;
    assert_eq!(page.body.matches("data-attempt=").count(), 1);
    assert!(page.body.contains("200 OK") && page.body.contains("replica-1"));
    assert!(page.body.contains("The checkout sent one to the shop&#39;s API."), "{}", page.body);
    assert!(page.header("set-cookie").contains("Max-Age=0"), "the notice is taken back");
    assert!(!shop.get("/").await.body.contains(r#"id="notice""#));
}

#[tokio::test]
async fn a_click_is_told_apart_from_the_requests_that_the_checkout_makes_of_it() {
    let shop = Shop::open_with(1, |settings| {
        settings.race_window_ms = 100;
        settings.retry_after_ms = 1;
    })
    .await;

    let page = page_after(&shop, &shop.post("/buy").await).await.body;

    assert_eq!(page.matches("data-attempt=").count(), 2);
    assert!(page.contains("Your browser sent one request, to the shop&#39;s checkout."), "{page}");
    assert!(page.contains("The checkout sent two to the shop&#39;s API."), "{page}");
}

#[tokio::test]
async fn buy_now_without_stock_reports_the_refusal() {
    let shop = Shop::open().await;
    shop.execute("UPDATE products SET quantity = 0").await;

    let page = page_after(&shop, &shop.post("/buy").await).await.body;

    assert!(page.contains("400 Bad Request") && page.contains("Out of stock"));
}

#[tokio::test]
async fn buy_now_reports_an_api_that_does_not_answer() {
    let shop = Shop::open_with(1, |settings| {
        settings.order_api_url = Some("http://127.0.0.1:1/api/orders".to_owned());
    })
    .await;

    let page = page_after(&shop, &shop.post("/buy").await).await.body;

    assert!(page.contains("no answer") && page.contains("no connection"));
    assert_eq!(shop.order_count().await, 0);
}

#[tokio::test]
async fn the_reset_form_starts_afresh_and_says_so() {
    let shop = Shop::open().await;
    shop.buy_on(0, shop.book().await).await;

    let reset = shop.post("/reset").await;

    assert_eq!((reset.status.as_u16(), reset.header("location")), (303, "/"));
    let page = page_after(&shop, &reset).await;
    assert!(page.body.contains("1 order deleted, 1 in stock."));
    assert_eq!(text(&page, "stock"), "1 available");
}

#[tokio::test]
async fn a_notice_that_can_not_be_read_is_none() {
    let shop = Shop::open().await;

    for cookie in ["notice=%7B", "notice=%FF%00", "notice", "notice={\"Bought\":[{}]}"] {
        let page = read(shop.request(Method::GET, "/").header("Cookie", cookie)).await;

        assert_eq!(page.status, 200, "{cookie}");
        assert!(!page.body.contains(r#"id="notice""#));
    }
}

/// Follows a form's redirect as a browser does, with the cookie that came with it.
async fn page_after(shop: &Shop, form: &Answer) -> Answer {
    let cookie = form.header("set-cookie").split(';').next().unwrap().to_owned();
    read(shop.request(Method::GET, form.header("location")).header("Cookie", cookie)).await
}

/// The text of the element with this id, which has no elements within.
#[track_caller]
fn text<'a>(page: &'a Answer, id: &str) -> &'a str {
    let (_, element) = page.body.split_once(&format!("id=\"{id}\"")).unwrap();
    let (_, text) = element.split_once('>').unwrap();
    text.split_once('<').unwrap().0.trim()
}
