//! A drill under way: what the parts of the drill share.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use sea_orm::sqlx::PgConnection;

use super::distance::Distance;
use super::findings::THE_BOOK;
use super::goods::Item;
use super::options::DrillOptions;
use super::pulse::Pulse;
use crate::shop::client::Shop;
use crate::shop::contestant::{Contestant, Oversell};
use crate::shop::database::ShopDatabase;

/// A step of a drill: it says how far the drill has come.
#[derive(Clone, Debug)]
pub enum Step {
    /// What the drill does now.
    Doing(String),
    /// What the drill has finished.
    Done(String),
}

/// Is called with each step of a drill.
pub type SayStep<'a> = &'a (dyn Fn(Step) + Send + Sync);

/// A drill under way.
pub struct Drill<'a> {
    pub(super) shop: &'a Shop,
    pub(super) database: &'a ShopDatabase,
    pub(super) contestants: &'a [Contestant],
    pub(super) options: &'a DrillOptions,
    pub(super) pulse: &'a Pulse,
    pub(super) distance: &'a Distance,
    /// How long `/ready` took before the database went far away for the whole drill; `None` if it did not.
    pub(super) near: Option<Duration>,
    pub(super) say: SayStep<'a>,
    pub(super) turn: PgConnection,
    pub(super) random: Rng,
}

impl Drill<'_> {
    /// The strategies that may oversell. If there is one, the book may be oversold, too.
    pub(super) fn may_oversell(&self) -> BTreeSet<String> {
        let may = self.contestants.iter().filter(|contestant| contestant.oversell != Oversell::MustNot);
        let may: Vec<String> = may.map(|contestant| contestant.name.clone()).collect();
        let book = (!may.is_empty()).then(|| THE_BOOK.to_owned());
        may.into_iter().chain(book).collect()
    }

    /// The book in the shop's window, one item for each strategy that can sell it.
    pub(super) async fn book(&self) -> anyhow::Result<Vec<Item>> {
        let product = self.shop.featured_product().await?.id;
        let can = self.contestants.iter().filter(|contestant| !contestant.needs_a_product_of_its_own());
        Ok(can.map(|contestant| Item { product, stock: 1, strategy: contestant.strategy() }).collect())
    }
}
