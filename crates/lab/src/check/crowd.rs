//! Many buyers at once, more than there are copies. Start with [`sell`].

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use flash_sale_testbed::reason::told;
use uuid::Uuid;

use super::part::{Part, Say};
use super::purchase::buy_at_once;
use super::verdict::Check;
use crate::shop::buy_request::BuyRequest;
use crate::shop::client::Shop;
use crate::shop::database::ShopDatabase;
use crate::shop::purchase::Purchase;
use crate::shop::told::Told;
use crate::wording::counted;

/// How long buyers come back when they are told to try again. A shop that sells a copy every 100 ms needs about a
/// second for ten.
const PATIENCE: Duration = Duration::from_secs(4);

/// A sale to a crowd, and what was there afterwards.
#[derive(Clone, Debug)]
pub struct Sale {
    /// What was sold.
    pub product: Uuid,
    /// Copies at the beginning.
    pub stock: usize,
    /// How many buyers wanted a copy.
    pub buyers: usize,
    /// Each buyer's purchase.
    pub purchases: Vec<Purchase>,
    /// From the first request to the last answer.
    pub took: Duration,
    /// Orders in the database.
    pub orders: BTreeSet<Uuid>,
    /// Copies left, in the database.
    pub left: i64,
    /// What the API says of the orders and of the copies left, or why it says nothing.
    pub shown: Result<Shown, String>,
}

/// What the API says of a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Orders.
    pub orders: BTreeSet<Uuid>,
    /// Copies left.
    pub left: i64,
}

impl Sale {
    /// How many more copies were sold than there were.
    pub fn oversold(&self) -> usize {
        self.orders.len().saturating_sub(self.stock)
    }

    /// The requests of all purchases.
    pub fn requests(&self) -> impl Iterator<Item = &BuyRequest> {
        self.purchases.iter().flat_map(|purchase| &purchase.requests)
    }

    /// Whether a request met a failure of the shop.
    pub fn has_failure(&self) -> bool {
        self.requests().any(|request| request.failure().is_some())
    }

    /// How many requests were answered in this way.
    pub fn count(&self, told: &Told) -> usize {
        self.requests().filter(|request| request.told == *told).count()
    }
}

/// Puts a product with `stock` copies into the shop, lets `buyers` buy it at once, and reads the result.
///
/// # Errors
/// When the database fails.
pub async fn sell(
    shop: &Shop,
    database: &ShopDatabase,
    (stock, buyers): (usize, usize),
    say: Say<'_>,
) -> anyhow::Result<Sale> {
    say(&format!("a crowd: {buyers} buyers at once, {}", counted(stock, "copy")));
    let product = database.make_product(&format!("{buyers} want it"), stock as i32).await?;
    let begun = Instant::now();
    let purchases = buy_at_once(shop, product, buyers, PATIENCE).await;
    let took = begun.elapsed();

    let rows = database.rows(product).await?;
    let shown = look(shop, product).await.map_err(|error| told(&error));
    let orders = rows.orders.into_iter().collect();
    Ok(Sale { product, stock, buyers, purchases, took, orders, left: rows.quantity, shown })
}

async fn look(shop: &Shop, product: Uuid) -> anyhow::Result<Shown> {
    let orders = shop.orders_of(product).await?.into_iter().map(|order| order.id).collect();
    Ok(Shown { orders, left: shop.product(product).await?.quantity })
}

/// The crowd gets exactly the copies in stock, no more and no fewer.
pub fn judge((stock, buyers): (usize, usize), sale: &Part<Sale>) -> Check {
    let name = format!("crowd of {buyers}");
    let sale = match sale {
        Ok(sale) => sale,
        Err(reason) => return Check::left_out(&name, reason),
    };
    let sold = sale.orders.len();
    let seen =
        format!("{buyers} buyers at once, {}: {sold} sold, stock {}", counted(stock, "copy"), sale.left);
    let (meaning, place) = if sold > stock {
        (
            "More copies were sold than there were.",
            "Look at the time between a purchase's check and its commit: what does another purchase see then? \
             crates/services/src/order_service.rs.",
        )
    } else if sold == 0 && sale.has_failure() {
        (
            "Nobody got a copy, and buyers met failures. See which: make logs.",
            "Look at what create_order does: crates/services/src/order_service.rs.",
        )
    } else if sold < stock {
        ("Copies are left, although buyers wanted them.", "Look at whom create_order turns away, and why.")
    } else {
        (
            "As many orders as copies, and yet the stock is not 0.",
            "Look at what create_order changes, and whether each change did what it was meant to.",
        )
    };
    let is_right = sold == stock && sale.left == 0;
    Check::new(&name, is_right, seen, meaning).at(place).after_failure(sale.has_failure())
}
