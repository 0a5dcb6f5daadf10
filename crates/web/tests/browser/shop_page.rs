//! What the shop's page shows, read out of the browser.

use flash_sale_testbed::testing::browser::Tab;
use flash_sale_testbed::testing::wait_until;
use serde::Deserialize;

/// Gives a [`ShopPage`], or null while there is none. It only reads, so it also runs where the page's own
/// scripts may not.
const READ: &str = r##"(() => {
    const text = (element) => element?.textContent.trim();
    const rows = (selector, read) => Array.from(document.querySelectorAll(selector), read);
    if (document.readyState !== "complete" || !document.querySelector("#stock")) return null;
    return {
        stock: text(document.querySelector("#stock")),
        final_stock: text(document.querySelector("#final-stock")),
        has_notice: document.querySelector("#notice") !== null,
        attempts: rows("#notice [data-attempt]", (row) => ({
            status: row.dataset.status,
            answer: text(row.querySelector("td:nth-child(4)")),
            replica: text(row.querySelector(".replica")),
        })),
        orders: rows("#orders [data-order]", (row) => ({
            id: text(row.querySelector("code")),
            replica: text(row.querySelector(".replica")),
        })),
    };
})()"##;

/// A loaded page of the shop.
#[derive(Debug, Deserialize)]
pub struct ShopPage {
    pub stock: String,
    pub final_stock: String,
    pub has_notice: bool,
    pub attempts: Vec<Attempt>,
    pub orders: Vec<Order>,
}

/// A line of the notice after Buy Now.
#[derive(Debug, Deserialize)]
pub struct Attempt {
    pub status: String,
    /// The status in full and what was answered.
    pub answer: String,
    pub replica: String,
}

/// A row of the orders.
#[derive(Debug, Deserialize)]
pub struct Order {
    /// Its first eight digits.
    pub id: String,
    pub replica: String,
}

/// Waits until the tab shows a page of the shop that is as it should be, and returns it.
pub async fn wait_for_page(tab: &Tab, what: &str, is_it: impl Fn(&ShopPage) -> bool) -> ShopPage {
    let mut page = None;
    wait_until(what, async || {
        page = tab.evaluate::<Option<ShopPage>>(READ).await.flatten().filter(&is_it);
        page.is_some()
    })
    .await;
    page.expect("just waited for")
}

impl ShopPage {
    /// Asserts that stock, orders and notice tell of the same purchase, and that it is one of the two that
    /// there can be: the shop as it was shipped, or as the learner has fixed it.
    #[track_caller]
    pub fn assert_one_click_was_answered(&self) {
        let mut statuses: Vec<&str> = self.attempts.iter().map(|attempt| attempt.status.as_str()).collect();
        statuses.sort_unstable();
        let stock = (self.stock.as_str(), self.final_stock.as_str());
        match self.orders.len() {
            2 => {
                assert_eq!((stock, statuses), (("-1 (oversold)", "-1"), vec!["200", "200"]), "{self:#?}");
                assert_ne!(self.orders[0].replica, self.orders[1].replica, "each replica sold the copy");
            }
            1 => {
                assert_eq!((stock, statuses), (("Out of stock", "0"), vec!["200", "400"]), "{self:#?}");
                let refusal = "400 Bad Request Out of stock";
                assert!(self.attempts.iter().any(|attempt| attempt.answer == refusal), "{self:#?}");
            }
            _ => panic!("one copy, and one click on it: {self:#?}"),
        }
        assert_eq!(self.sold_by_the_notice(), self.sold_by_the_orders(), "{self:#?}");
    }

    /// Answer and replica of each purchase that went well, as the notice has them.
    fn sold_by_the_notice(&self) -> Vec<(String, &str)> {
        let sold = self.attempts.iter().filter(|attempt| attempt.status == "200");
        let mut sold: Vec<_> =
            sold.map(|attempt| (attempt.answer.clone(), attempt.replica.as_str())).collect();
        sold.sort_unstable();
        sold
    }

    /// The same, as the table of orders has them.
    fn sold_by_the_orders(&self) -> Vec<(String, &str)> {
        let orders = self.orders.iter();
        let mut sold: Vec<_> =
            orders.map(|order| (format!("200 OK order {}", order.id), order.replica.as_str())).collect();
        sold.sort_unstable();
        sold
    }
}
