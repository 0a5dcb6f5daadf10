//! Initial stock − orders = stock, whatever runs at once, also while the shop oversells.

use futures::future::join_all;

use crate::{Answer, Shop, read};

#[tokio::test]
async fn no_copy_appears_or_vanishes_under_200_purchases_and_resets() {
    let shop = Shop::open_with(2, |settings| settings.race_window_ms = 2).await;
    let book = shop.book().await;
    let mut requests = Vec::new();
    for number in 0..200 {
        requests.push(tokio::spawn(shop.buy_on(number % 2, book)));
        if number % 5 == 0 {
            let url = format!("{}/api/reset", shop.replicas[number % 2].url);
            requests.push(tokio::spawn(read(shop.http.post(url))));
        }
    }

    let answers: Vec<Answer> = join_all(requests).await.into_iter().map(Result::unwrap).collect();

    for answer in &answers {
        assert!([200, 400].contains(&answer.status.as_u16()), "{}: {}", answer.status, answer.body);
    }
    let sold = answers.iter().filter(|answer| answer.json()["served_by"].is_string()).count() as i64;
    let reset: i64 = answers.iter().filter_map(|answer| answer.json()["deleted_orders"].as_i64()).sum();
    let orders = shop.order_count().await;
    assert_eq!(orders, sold - reset, "every confirmed order is there, or a reset has counted it");
    assert_eq!(i64::from(shop.stock().await), 1 - orders, "every order has taken its copy");
}

#[tokio::test]
async fn a_reset_waits_for_a_purchase_that_has_taken_its_copy() {
    let shop = Shop::open().await;
    let side = shop.side_connection().await;
    side.begin().await;
    side.execute("INSERT INTO orders (product_id, served_by) SELECT id, 'side' FROM products").await;
    side.execute("UPDATE products SET quantity = quantity - 1").await;
    let reset = tokio::spawn(read(shop.http.post(format!("{}/api/reset", shop.replicas[0].url))));

    flash_sale_testbed::testing::wait_until("the reset waits", async || {
        side.waiting_statements().await.len() == 1
    })
    .await;
    side.commit().await;

    assert_eq!(reset.await.unwrap().json()["deleted_orders"], 1);
    assert_eq!((shop.order_count().await, shop.stock().await), (0, 1));
}

#[tokio::test]
async fn the_page_shows_orders_and_stock_of_one_moment() {
    let shop = Shop::open_with(1, |settings| settings.race_window_ms = 0).await;
    let book = shop.book().await;
    let buyers = join_all((0..100).map(|_| shop.buy_on(0, book)));
    shop.execute("UPDATE products SET quantity = 100").await;

    let looks = async {
        for _ in 0..50 {
            let page = shop.get("/").await.body;
            let stock: i64 = between(&page, "data-quantity=\"", "\"").parse().unwrap();
            let orders = page.matches("data-order=").count() as i64;
            assert_eq!(stock + orders, 100);
        }
    };

    futures::future::join(buyers, looks).await;
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}
