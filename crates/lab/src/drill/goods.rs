//! What is sold while a fault is drilled. Each strategy has products of its own, made in the way that it needs.

use std::time::Duration;

use uuid::Uuid;

use super::options::DrillOptions;
use crate::shop::contestant::Contestant;
use crate::shop::database::ShopDatabase;
use crate::shop::patiently::patiently;

/// Copies of the products that sell out while the fault is drilled.
const SCARCE: usize = 40;
/// Copies for the crowd of a burst: too few for most of its buyers.
const FOR_A_CROWD: usize = 100;
/// More copies than one buyer can buy in a second.
const BOUGHT_IN_A_SECOND: usize = 30;
/// More copies than one buyer can ask for in a second, when the buyer leaves, comes back and leaves again.
const LEFT_IN_A_SECOND: usize = 200;

/// A product, and how it is bought.
#[derive(Clone, Debug)]
pub struct Item {
    /// The id of the product.
    pub product: Uuid,
    /// Copies at the beginning.
    pub stock: u32,
    /// The strategy that its purchases name.
    pub strategy: Option<String>,
}

/// What one strategy sells.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// The name of the strategy.
    pub strategy: String,
    /// A product with plenty of copies.
    pub plenty: Item,
    /// A product with too few copies.
    pub scarce: Item,
    /// A product for the buyers that a fault sends by itself.
    pub other: Item,
    /// A product for buyers with a key who leave before their answer.
    pub left_with_key: Item,
    /// A product for buyers without a key who leave before their answer.
    pub left_without_key: Item,
}

impl Shelf {
    /// All items of the shelf.
    pub fn items(&self) -> [&Item; 5] {
        [&self.plenty, &self.scarce, &self.other, &self.left_with_key, &self.left_without_key]
    }
}

/// Puts a shelf for each strategy on sale, with enough copies for buyers who buy for this `time`.
///
/// # Errors
/// When the database fails.
pub async fn put_on_sale(
    database: &ShopDatabase,
    contestants: &[Contestant],
    options: &DrillOptions,
    is_for_a_crowd: bool,
    time: Duration,
) -> anyhow::Result<Vec<Shelf>> {
    let share = |copies: usize| u32::try_from(copies.div_ceil(contestants.len()));
    let seconds = time.as_secs() as usize;
    let enough = share(options.buyers * BOUGHT_IN_A_SECOND * seconds)?;
    let for_leavers = share(options.leavers() * LEFT_IN_A_SECOND * seconds)?;
    let of_other = if is_for_a_crowd { share(FOR_A_CROWD)? } else { enough };

    let mut shelves = Vec::with_capacity(contestants.len());
    for contestant in contestants {
        let make = async |stock: u32| -> anyhow::Result<Item> {
            let product = patiently(|| contestant.make_product(database, stock)).await?;
            Ok(Item { product, stock, strategy: contestant.strategy() })
        };
        shelves.push(Shelf {
            strategy: contestant.name.clone(),
            plenty: make(enough).await?,
            scarce: make(share(SCARCE)?).await?,
            other: make(of_other).await?,
            left_with_key: make(for_leavers).await?,
            left_without_key: make(for_leavers).await?,
        });
    }
    Ok(shelves)
}
