//! Visitors who read the same at the same time share a read. What they see is never older than their request.

use flash_sale_testbed::testing::wait_until;
use futures::future::join_all;
use reqwest::Method;

use crate::{Answer, Shop, read};

const VISITORS: usize = 30;

#[tokio::test]
async fn who_comes_during_a_read_shares_the_next_one() {
    let shop = Shop::open().await;
    let one = format!("/api/products/{}", shop.book().await);
    for (number, path) in ["/", "/api/products", &one].into_iter().enumerate() {
        let side = shop.side_connection().await;
        side.begin().await;
        side.execute("LOCK TABLE products IN ACCESS EXCLUSIVE MODE").await;
        let first = tokio::spawn(read(shop.request(Method::GET, path)));
        wait_until("the first one reads", async || side.waiting_statements().await.len() == 1).await;
        let later = (0..VISITORS).map(|_| read(shop.request(Method::GET, path)));
        let later = tokio::spawn(join_all(later));
        shop.everybody_has_come().await;
        assert_eq!(side.waiting_statements().await.len(), 1, "{path}");

        let stock = 40 + number;
        side.execute(&format!("UPDATE products SET quantity = {stock}")).await;
        side.commit().await;

        assert_eq!(first.await.unwrap().status, 200, "{path}");
        for answer in later.await.unwrap() {
            assert!(shows(&answer, stock), "{path}: {}", answer.body);
        }
    }
}

fn shows(answer: &Answer, stock: usize) -> bool {
    let (in_json, on_the_page) = (format!("\"quantity\":{stock}"), format!("data-quantity=\"{stock}\""));
    answer.status == 200 && (answer.body.contains(&in_json) || answer.body.contains(&on_the_page))
}
