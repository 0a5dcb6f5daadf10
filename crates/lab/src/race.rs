//! Races the strategies. Each of them sells too few copies to a crowd of buyers, again and again. Then the race
//! compares what the buyers were told with the rows of the database. Start with [`run`]. The meaning of each figure
//! is in [`definitions`].

pub mod buyer;
pub mod crowd;
pub mod definitions;
pub mod ledger;
pub mod options;
pub mod report;
pub mod rows;
pub mod table;
pub mod verdict;

use std::time::Duration;

use anyhow::Context;
use fastrand::Rng;

use crate::control::loan::Loan;
use crate::shop::client::Shop;
use crate::shop::contestant::{self, Contestant};
use crate::shop::database::ShopDatabase;
use crate::shop::patiently::patiently;
use crate::shop::target::Target;
use crate::signals::EndSignals;
use crowd::{Crowd, RaceRound};
use options::RaceOptions;
use report::{RaceReport, Raced};
use rows::Durability;

/// Is called before each round, with the name of its strategy, the number of rounds that are done, and the number of
/// all rounds.
pub type Advance<'a> = &'a (dyn Fn(&str, usize, usize) + Send + Sync);

/// Races the strategies with these `names`, or all strategies when there are no names. They sell products of the
/// lab's own. However the race ends, the products are removed, and the replicas run with their own race window again.
///
/// # Errors
/// When the shop or its database can't be asked; when a check or another race runs; when the person says stop.
pub async fn run(
    target: &Target,
    names: &[String],
    options: &RaceOptions,
    advance: Advance<'_>,
) -> anyhow::Result<RaceReport> {
    let shop = Shop::at(&target.url).await?;
    let database = ShopDatabase::connect(&target.database_url).await?;
    let _turn = database.take_turn("make race").await?;
    database.remove_products().await?;
    let contestants = contestant::choose(&shop, names).await?;
    let loan = match options.window_ms {
        Some(window) => Some(Loan::take_race_window(window).await?),
        None => None,
    };

    let mut signals = EndSignals::listen()?;
    let raced = tokio::select! {
        raced = race_all(&shop, &database, &contestants, options, advance) => raced,
        _ = signals.next() => Err(anyhow::anyhow!("stopped before the end. Again: make race")),
    };
    // A purchase that is taken back may hold one of the products for a moment.
    let removed = patiently(|| database.remove_products()).await;
    let given_back = match loan {
        Some(loan) => loan.give_back().await.context("the replicas keep the race's window"),
        None => Ok(()),
    };
    let (durability, rows) = raced?;
    removed.and(given_back)?;
    Ok(RaceReport::new(options.clone(), durability, target.wiretap, rows))
}

async fn race_all(
    shop: &Shop,
    database: &ShopDatabase,
    contestants: &[Contestant],
    options: &RaceOptions,
    advance: Advance<'_>,
) -> anyhow::Result<(Durability, Vec<Raced>)> {
    let crowd = Crowd::gather(shop, options).await?;
    let mut rows = Vec::with_capacity(contestants.len());
    for contestant in contestants {
        let (before, all) = (rows.len() * options.rounds, contestants.len() * options.rounds);
        let advance = |round: usize| advance(&contestant.name, before + round, all);
        rows.push(race(&crowd, database, contestant, options, &advance).await?);
    }
    Ok((database.durability().await?, rows))
}

/// Runs all rounds of one strategy. The books are read after the last round, so that they also show a purchase that
/// was committed after its buyer was told otherwise.
async fn race(
    crowd: &Crowd,
    database: &ShopDatabase,
    contestant: &Contestant,
    options: &RaceOptions,
    advance: &(dyn Fn(usize) + Send + Sync),
) -> anyhow::Result<Raced> {
    // The random numbers are the same for each strategy, whichever other strategies race.
    let mut random = Rng::with_seed(options.seed.into());
    let mut rounds: Vec<RaceRound> = Vec::with_capacity(options.rounds);
    for round in 0..options.rounds {
        advance(round);
        let product = contestant.make_product(database, options.stock).await?;
        rounds.push(crowd.buy(product, contestant, &mut random).await?);
    }
    let clock = database.clock_ahead().await?;
    let mut ledgers = Vec::with_capacity(rounds.len());
    for round in &rounds {
        ledgers.push(ledger::read(round, database, clock, options).await?);
    }
    Ok(Raced::sum_up(contestant, &rounds, &ledgers, options.stock))
}

impl RaceOptions {
    /// How many buyers are served at once.
    pub fn at_once(&self) -> usize {
        self.concurrency.min(self.buyers)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.patience_seconds.into())
    }
}
