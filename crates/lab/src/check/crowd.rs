//! Many buyers at once, more than there are copies. Start with [`sell_to_each`].

use std::collections::BTreeSet;
use std::time::Duration;

use uuid::Uuid;

use super::purchase::{Outcome, Purchase, buy_at_once};
use super::shop::Shop;
use super::shop_database::ShopDatabase;
use super::{Check, Say};

/// How long buyers come back who are told to try again. A shop that sells a copy each 100 ms needs about a
/// second for ten.
const PATIENCE: Duration = Duration::from_secs(4);

/// A sale to a crowd, and what was there afterwards.
#[derive(Clone, Debug)]
pub struct Sale {
    /// What was sold.
    pub product: Uuid,
    /// Copies at the beginning.
    pub stock: usize,
    /// How many wanted one.
    pub buyers: usize,
    /// Each request, with its answer.
    pub purchases: Vec<Purchase>,
    /// Orders in the database.
    pub orders: BTreeSet<Uuid>,
    /// Orders in the API.
    pub orders_shown: BTreeSet<Uuid>,
    /// Copies left, in the database.
    pub left: i64,
    /// Copies left, in the API.
    pub left_shown: i64,
}

impl Sale {
    /// Copies that were sold and not there.
    pub fn oversold(&self) -> usize {
        self.orders.len().saturating_sub(self.stock)
    }

    /// Whether a purchase met a failure of the shop.
    pub fn has_failure(&self) -> bool {
        self.purchases.iter().any(|purchase| purchase.failure().is_some())
    }

    /// How many purchases were told this.
    pub fn count(&self, outcome: &Outcome) -> usize {
        self.purchases.iter().filter(|purchase| purchase.outcome == *outcome).count()
    }
}

/// Puts a product with `stock` copies into the shop, has `buyers` buy it at once, and reads what came of it.
///
/// # Errors
/// When the shop or its database can't be read.
pub async fn sell(
    shop: &Shop,
    database: &ShopDatabase,
    (stock, buyers): (usize, usize),
    say: Say<'_>,
) -> anyhow::Result<Sale> {
    say(&format!("a crowd: {buyers} buyers at once, {}", copies(stock)));
    let product = database.make_product(&format!("{buyers} want it"), stock as i32).await?;
    let purchases = buy_at_once(shop, product, buyers, PATIENCE).await;

    let rows = database.rows(product).await?;
    let orders_shown = shop.orders_of(product).await?.into_iter().map(|order| order.id).collect();
    let left_shown = shop.product(product).await?.quantity;
    let orders = rows.orders.into_iter().collect();
    Ok(Sale { product, stock, buyers, purchases, orders, orders_shown, left: rows.quantity, left_shown })
}

/// Sells as [`sell`] does, to each crowd in turn. Those that remain are left out once a crowd has met a
/// failure of the shop: the verdict is clear, and to wait for more of them may take half a minute.
///
/// # Errors
/// As [`sell`].
pub async fn sell_to_each(
    shop: &Shop,
    database: &ShopDatabase,
    crowds: &[(usize, usize)],
    say: Say<'_>,
) -> anyhow::Result<Vec<Sale>> {
    let mut sales: Vec<Sale> = Vec::new();
    for size in crowds {
        if sales.last().is_some_and(|sale| sale.has_failure()) {
            break;
        }
        sales.push(sell(shop, database, *size, say).await?);
    }
    Ok(sales)
}

/// Exactly the stock is sold to this crowd.
pub fn judge((stock, buyers): (usize, usize), sales: &[Sale]) -> Check {
    let name = format!("crowd of {buyers}");
    let Some(sale) = sales.iter().find(|sale| (sale.stock, sale.buyers) == (stock, buyers)) else {
        let seen = "left out: the crowd before it met failures".to_owned();
        return Check::new(&name, false, seen, "Look at the failures first, and then judge again.");
    };
    let sold = sale.orders.len();
    let seen = format!("{buyers} buyers at once, {}: {sold} sold, stock {}", copies(stock), sale.left);
    let meaning = if sold > stock {
        "More buyers were told yes than there were copies. Look at what one purchase can know of the others \
         between its check and its commit, in crates/services/src/order_service.rs."
    } else {
        "Copies are left that buyers wanted. Look at whom create_order turns away, and why."
    };
    Check::new(&name, sold == stock && sale.left == 0, seen, meaning)
}

fn copies(count: usize) -> String {
    if count == 1 { "1 copy".to_owned() } else { format!("{count} copies") }
}
