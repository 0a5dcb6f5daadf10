//! What the database holds of a product that was sold.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use sea_orm::sqlx;
use uuid::Uuid;

use super::database::ShopDatabase;

/// "Out of stock" is too early only if a copy was sold more than this later: the two clocks are read one after the
/// other.
const CLOCK_MARGIN: Duration = Duration::from_millis(1);

/// The rows of one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holdings {
    /// Copies left, those that are rows of their own (`units`) or in `stock_buckets` included.
    pub left: i64,
    /// Copies that `reservation` holds for buyers. Each becomes an order, or goes back.
    pub held: i64,
    /// Its orders.
    pub orders: BTreeSet<Uuid>,
    /// When the order that took the last copy was written, by our own clock; `None` while copies are left. The copy was
    /// in stock until then, and a little longer, because the order's transaction had yet to commit.
    pub last_copy_sold: Option<SystemTime>,
}

impl Holdings {
    /// Conservation: whether initial stock - orders - holds = stock, for a product that had `stock` copies at first.
    pub fn are_conserved(&self, stock: usize) -> bool {
        stock as i64 - self.orders.len() as i64 - self.held == self.left
    }

    /// Copies that are not sold: those in stock, and those that are held.
    pub fn unsold(&self) -> i64 {
        self.left + self.held
    }

    /// Orders beyond the `stock` copies that were there.
    pub fn oversold(&self, stock: usize) -> usize {
        self.orders.len().saturating_sub(stock)
    }

    /// Whether the last copy was sold after this moment, by our own clock. `None` while copies are left.
    pub fn last_copy_sold_after(&self, moment: SystemTime) -> Option<bool> {
        self.last_copy_sold.map(|sold| sold > moment + CLOCK_MARGIN)
    }
}

impl ShopDatabase {
    /// What the rows say of a product that had `stock` copies. `clock_ahead` says by how many seconds the database's
    /// clock is ahead of ours.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holdings(&self, product: Uuid, stock: u32, clock_ahead: f64) -> anyhow::Result<Holdings> {
        let sql = "SELECT quantity + (SELECT count(*) FROM units
                                      WHERE product_id = products.id AND order_id IS NULL)
                                   + (SELECT coalesce(sum(quantity), 0) FROM stock_buckets
                                      WHERE product_id = products.id),
                          (SELECT count(*) FROM holds WHERE product_id = products.id),
                          ARRAY(SELECT id FROM orders WHERE product_id = products.id),
                          (SELECT extract(epoch FROM created_at)::float8 FROM orders
                           WHERE product_id = products.id ORDER BY created_at OFFSET $2 - 1 LIMIT 1)
                   FROM products WHERE id = $1";
        let rows = sqlx::query_as(sql).bind(product).bind(i64::from(stock));
        let (left, held, orders, last_copy_sold): (i64, i64, Vec<Uuid>, Option<f64>) =
            rows.fetch_one(&self.pool).await?;
        let by_our_clock =
            |seconds: f64| SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds - clock_ahead);
        let last_copy_sold = last_copy_sold.map(by_our_clock);
        Ok(Holdings { left, held, orders: orders.into_iter().collect(), last_copy_sold })
    }

    /// By how many seconds the database's clock is ahead of ours. Of several answers, the fastest one is the most
    /// exact.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clock_ahead(&self) -> anyhow::Result<f64> {
        let sql = "SELECT extract(epoch FROM clock_timestamp())::float8";
        let mut best = (f64::MAX, 0.0);
        for _ in 0..5 {
            let asked = seconds_since_1970();
            let theirs: f64 = sqlx::query_scalar(sql).fetch_one(&self.pool).await?;
            let took = seconds_since_1970() - asked;
            if took < best.0 {
                best = (took, theirs - (asked + took / 2.0));
            }
        }
        Ok(best.1)
    }
}

fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
