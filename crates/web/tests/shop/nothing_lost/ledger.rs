//! What each product's rows must say in the end: at once, and also when everything has come or gone that PostgreSQL's
//! time limits might still bring or take.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use flash_sale_core::limits::IDLE_IN_TRANSACTION_TIMEOUT;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use uuid::Uuid;

use crate::Shop;

/// A transaction that somebody has left open is ended by then, and what was told in it is gone.
const LAST_CHANGE: Duration = IDLE_IN_TRANSACTION_TIMEOUT.saturating_add(Duration::from_secs(1));

/// Products with what was told about them.
#[derive(Default)]
pub struct Ledger {
    expected: BTreeMap<Uuid, Expected>,
    last: Option<Instant>,
}

struct Expected {
    /// In words, for the message.
    case: String,
    stock: i64,
    /// Each was answered with 200.
    sold: BTreeSet<Uuid>,
    /// Orders whose buyers know nothing, or were told so: at most.
    unknown: usize,
}

impl Ledger {
    /// Enters a product with `stock` copies. Of `sold` each buyer was told; besides, there may be `unknown` orders.
    pub fn enter(&mut self, case: &str, product: Uuid, stock: i32, sold: &[Uuid], unknown: usize) {
        let distinct = sold.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(distinct.len(), sold.len(), "{case}: one order for two purchases");
        let expected = Expected { case: case.to_owned(), stock: stock.into(), sold: distinct, unknown };
        self.expected.insert(product, expected);
        self.last = Some(Instant::now());
    }

    /// Compares with the rows, now and when nothing can change any more.
    pub async fn compare(&self, shop: &Shop) {
        let now = self.look(shop).await;
        let Some(last) = self.last else { return };
        tokio::time::sleep_until((last + LAST_CHANGE).into()).await;
        assert_eq!(self.look(shop).await, now, "an order has come or gone after the answers");
    }

    /// The orders, if they are as expected.
    async fn look(&self, shop: &Shop) -> BTreeMap<Uuid, BTreeSet<Uuid>> {
        let rows = read_rows(shop).await;
        for (product, expected) in &self.expected {
            let Expected { case, stock, sold, unknown } = expected;
            let (left, orders) = &rows[product];
            let lost: Vec<_> = sold.difference(orders).collect();
            assert!(lost.is_empty(), "{case}: answered 200, and not there: {lost:?}");
            let more = orders.difference(sold).count();
            assert!(more <= *unknown, "{case}: {more} orders that nobody was told of");
            assert_eq!(stock - orders.len() as i64, *left, "{case}: not conserved");
        }
        rows.into_iter().map(|(product, (_, orders))| (product, orders)).collect()
    }
}

/// Of each product: the copies that are left, and its orders.
async fn read_rows(shop: &Shop) -> BTreeMap<Uuid, (i64, BTreeSet<Uuid>)> {
    let sql = "SELECT id,
                   (SELECT quantity + count(*) FROM units WHERE product_id = products.id AND order_id IS NULL)
                       + (SELECT coalesce(sum(quantity), 0) FROM stock_buckets WHERE product_id = products.id),
                   ARRAY(SELECT id FROM orders WHERE product_id = products.id)
               FROM products";
    let rows = shop.database.connection.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
    let row = |row: &sea_orm::QueryResult| {
        let orders: Vec<Uuid> = row.try_get_by_index(2).unwrap();
        (row.try_get_by_index(0).unwrap(), (row.try_get_by_index(1).unwrap(), orders.into_iter().collect()))
    };
    rows.unwrap().iter().map(row).collect()
}
