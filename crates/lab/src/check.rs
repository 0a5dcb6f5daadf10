//! Judges the running shop from outside: is the bug gone, for the right reason, and at nobody's expense? Start
//! with [`run`]; each other file looks at one thing.

pub mod architecture;
pub mod crowd;
pub mod failures;
pub mod ledger;
pub mod one_click;
pub mod patience;
pub mod purchase;
pub mod shop;
pub mod shop_database;
pub mod target;
pub mod unbuilt;
pub mod verdict;

use std::time::Instant;

use anyhow::bail;
use tokio::signal::unix::{SignalKind, signal};

use crowd::Sale;
use one_click::OneClick;
use patience::Held;
use purchase::Purchase;
use shop::Shop;
use shop_database::ShopDatabase;
use target::Target;
use verdict::{Check, Figures, Report};

/// Copies and buyers of each crowd.
const CROWDS: [(usize, usize); 2] = [(1, 50), (10, 200)];
/// Also with a row lock they are all sold within a second and a bit, which is below every limit of the shop.
const ENOUGH_FOR_ALL: (usize, usize) = (10, 10);

/// Hears how far a check is.
pub type Say<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// How to judge.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many clicks.
    pub rounds: usize,
    /// Whether the database may have rules of its own.
    pub allow_constraint: bool,
}

/// Judges the shop, and leaves it reset and without any product of the lab, however that ends.
///
/// # Errors
/// When the shop or its database can't be asked, another check runs, or the person says stop.
pub async fn run(target: &Target, options: Options, say: Say<'_>) -> anyhow::Result<Report> {
    let shop = Shop::at(&target.url).await?;
    let database = ShopDatabase::connect(&target.database_url).await?;
    let _turn = database.take_turn("make check").await?;
    database.remove_products().await?;

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let report = tokio::select! {
        report = judge(&shop, &database, options, say) => report,
        _ = interrupt.recv() => Err(anyhow::anyhow!("stopped before the verdict. Again: make check")),
        _ = terminate.recv() => Err(anyhow::anyhow!("stopped before the verdict. Again: make check")),
    };
    let (removed, reset) = (database.remove_products().await, shop.reset().await);
    let report = report?;
    removed.and(reset)?;
    Ok(report)
}

async fn judge(
    shop: &Shop,
    database: &ShopDatabase,
    options: Options,
    say: Say<'_>,
) -> anyhow::Result<Report> {
    let begun = Instant::now();
    let deadlocks_before = database.deadlocks().await?;
    let replicas = architecture::find_replicas(shop).await?;
    if replicas.is_empty() {
        bail!("no replica is healthy. Look at: make status");
    }

    architecture::ensure_usual_pace(shop, database).await?;
    let clicks = one_click::run(shop, options.rounds, say).await?;
    let mut sales = crowd::sell_to_each(shop, database, &CROWDS, say).await?;
    let enough = crowd::sell(shop, database, ENOUGH_FOR_ALL, say).await?;
    let lost_sales = ledger::judge_lost_sales(&enough, &sales);
    sales.push(enough);
    let held = patience::hold_and_look(shop, database, say).await?;
    let deadlocks = database.deadlocks().await? - deadlocks_before;
    let constraints = architecture::judge_constraints(database, options.allow_constraint).await?;

    let purchases = all_purchases(&sales, &held);
    let checks = vec![
        one_click::judge(&clicks),
        crowd::judge(CROWDS[0], &sales),
        crowd::judge(CROWDS[1], &sales),
        ledger::judge_conservation(&clicks, &sales),
        ledger::judge_answers(&clicks, &sales),
        lost_sales,
        patience::judge_reads(&held),
        patience::judge_others(&held),
        failures::judge(&clicks, &sales, &held, deadlocks),
        architecture::judge_replicas(&replicas, &clicks, &purchases),
        architecture::judge_retry(&clicks),
        architecture::judge_race_window(&clicks, &purchases),
        constraints,
    ];
    let mut figures = count(&clicks, &sales, &purchases);
    figures.seconds = begun.elapsed().as_secs_f64();
    Ok(Report::new(checks, figures))
}

fn all_purchases<'a>(sales: &'a [Sale], held: &'a Held) -> Vec<&'a Purchase> {
    let in_crowds = sales.iter().flat_map(|sale| &sale.purchases);
    in_crowds.chain(&held.held).chain(held.others.iter().flatten()).collect()
}

fn count(clicks: &OneClick, sales: &[Sale], purchases: &[&Purchase]) -> Figures {
    let attempts = || clicks.rounds.iter().flat_map(|round| &round.attempts);
    let sold_to_clicks = attempts().filter(|attempt| attempt.status_code() == Some(200)).count();
    let sold_to_others = purchases.iter().filter(|purchase| purchase.order().is_some()).count();
    Figures {
        rounds: clicks.rounds.len(),
        rounds_oversold: clicks.oversold(),
        purchases: attempts().count() + purchases.len(),
        sold: sold_to_clicks + sold_to_others,
        copies_oversold: sales.iter().map(Sale::oversold).sum(),
        seconds: 0.0,
    }
}
