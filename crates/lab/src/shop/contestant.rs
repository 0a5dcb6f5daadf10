//! The contestants of a race: the strategies that the shop knows, and the exercise as it is.

use anyhow::{Context, ensure};
use serde::Deserialize;
use uuid::Uuid;

use crate::settings;
use crate::shop::client::Shop;
use crate::shop::database::ShopDatabase;

/// The name of the exercise: what the shop does when a purchase names no strategy.
pub const EXERCISE: &str = "exercise";
/// The name of the strategy whose products have several rows for their stock.
const STOCK_BUCKETS: &str = "stock_buckets";

/// Whether a strategy is allowed to sell more copies than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oversell {
    /// It must oversell: it is there to show how that happens.
    Must,
    /// It may oversell, and does so until somebody has fixed it.
    May,
    /// It must never oversell.
    MustNot,
}

/// A way to sell.
#[derive(Clone, Debug)]
pub struct Contestant {
    /// As the shop calls it, or [`EXERCISE`].
    pub name: String,
    /// Whether it is allowed to oversell.
    pub oversell: Oversell,
    /// Over how many buckets the stock of its products is spread. `None`: over none.
    pub buckets: Option<u32>,
}

/// A strategy, as `GET /api/strategies` lists it.
#[derive(Clone, Debug, Deserialize)]
pub struct Strategy {
    /// The name by which a purchase asks for it.
    pub name: String,
    /// How it sells, in one line.
    pub description: String,
    /// What a buyer gets who was not fast enough.
    pub loser_gets: String,
    /// Whether it can sell more copies than there are.
    pub can_oversell: bool,
}

/// The contestants with these names, or all of them when no name is given.
///
/// # Errors
/// When the shop can't be asked, or doesn't know one of them.
pub async fn choose(shop: &Shop, names: &[String]) -> anyhow::Result<Vec<Contestant>> {
    let known = find_all(shop).await?;
    if names.is_empty() {
        return Ok(known);
    }
    let find = |name: &String| {
        let found = known.iter().find(|contestant| contestant.name == *name).cloned();
        found.with_context(|| {
            let known: Vec<&str> = known.iter().map(|contestant| contestant.name.as_str()).collect();
            format!("the shop knows no strategy {name}. It knows: {}", known.join(", "))
        })
    };
    names.iter().map(find).collect()
}

/// The strategies that the shop knows.
///
/// # Errors
/// When the shop can't be asked.
pub async fn strategies(shop: &Shop) -> anyhow::Result<Vec<Strategy>> {
    let answer = shop.get("/api/strategies").await?;
    ensure!(answer.status == 200, "GET /api/strategies: {}. Look at: make logs", answer.status);
    serde_json::from_value(answer.body).context("GET /api/strategies")
}

async fn find_all(shop: &Shop) -> anyhow::Result<Vec<Contestant>> {
    let strategies = strategies(shop).await?;
    let buckets = settings::stock_buckets()?;
    let exercise = Contestant { name: EXERCISE.to_owned(), oversell: Oversell::May, buckets: None };
    let others = strategies.into_iter().map(|strategy| Contestant {
        oversell: if strategy.can_oversell { Oversell::Must } else { Oversell::MustNot },
        buckets: (strategy.name == STOCK_BUCKETS).then_some(buckets),
        name: strategy.name,
    });
    Ok(std::iter::once(exercise).chain(others).collect())
}

impl Contestant {
    /// The strategy that a purchase names. A purchase by the exercise names none.
    pub fn strategy(&self) -> Option<String> {
        (self.name != EXERCISE).then(|| self.name.clone())
    }

    /// Whether it can sell only products that [`Contestant::make_product`] has made.
    pub fn needs_a_product_of_its_own(&self) -> bool {
        matches!(self.name.as_str(), "skip_locked" | "check_constraint") || self.buckets.is_some()
    }

    /// Makes a product that this contestant can sell.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn make_product(&self, database: &ShopDatabase, stock: u32) -> anyhow::Result<Uuid> {
        let title = format!("raced by {}", self.name);
        if self.name == "skip_locked" {
            let product = database.make_product(&title, 0).await?;
            database.add_units(product, stock).await?;
            return Ok(product);
        }
        let product = database.make_product(&title, stock as i32).await?;
        if self.name == "check_constraint" {
            database.refuse_oversell(product).await?;
        }
        if let Some(buckets) = self.buckets {
            database.spread_stock(product, buckets).await?;
        }
        Ok(product)
    }
}
