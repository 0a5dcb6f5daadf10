//! The ceiling of a lock on one row: while one sale holds the row, no other sale of the product can go on. So no more
//! than 1 / (the time from lock to COMMIT) can be sold in a second, however many buyers there are.

use std::time::{Duration, Instant};

use anyhow::Context;
use sea_orm::sqlx::{self, Connection, PgConnection};
use serde::Serialize;

use super::own_shop::OwnShop;
use crate::statistics::{median, milliseconds};

/// How long the sales of one lone buyer are measured.
const MEASURING: Duration = Duration::from_millis(500);
const STOCK: i32 = 1_000_000;

/// What a lock on one row allows.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ceiling {
    /// From the statement that takes the lock to the answer to COMMIT, when nobody else wants the row: the median.
    pub lock_and_commit_ms: f64,
    /// One second divided by that time.
    pub per_second: f64,
}

/// Sells with the statements of `pessimistic` on one connection, straight to PostgreSQL.
///
/// # Errors
/// When the database fails.
pub async fn measure(shop: &OwnShop) -> anyhow::Result<Ceiling> {
    let product = shop.database.make_product("measured alone", STOCK).await?;
    let mut connection = PgConnection::connect(shop.shop_url.reveal()).await.context("PostgreSQL")?;
    let (mut times, start) = (Vec::new(), Instant::now());
    while start.elapsed() < MEASURING {
        let mut transaction = connection.begin().await?;
        let locking = Instant::now();
        let statements = [
            "SELECT quantity FROM products WHERE id = $1 FOR UPDATE",
            "INSERT INTO orders (product_id, served_by) VALUES ($1, 'nobody') RETURNING *",
            "UPDATE products SET quantity = quantity - 1, version = version + 1 WHERE id = $1",
        ];
        for statement in statements {
            sqlx::query(statement).bind(product).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        times.push(locking.elapsed());
    }
    connection.close().await?;
    shop.database.clear_sales().await?;
    let held = median(times).context("no sale was measured")?;
    Ok(Ceiling { lock_and_commit_ms: milliseconds(held), per_second: 1.0 / held.as_secs_f64() })
}
