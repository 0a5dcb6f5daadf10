//! Drills one fault, from the first buyer to the ledger. Start with [`drill`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use tokio::time::{sleep, sleep_until, timeout};
use uuid::Uuid;

use super::book::Sightings;
use super::counts::Counts;
use super::distance::ReadyTimes;
use super::fault::{Fault, Kind};
use super::faults::strike;
use super::findings::{DrillFindings, Recovery, THE_BOOK};
use super::goods::{Item, Shelf, put_on_sale};
use super::leavers::Leavers;
use super::ledger::{OrdersOfKeys, compare as compare_purchases, keys_of};
use super::lost_answers::LostAnswers;
use super::market::Market;
use super::notary::Notary;
use super::scene::{Scene, Struck};
use super::sessions_watch::SessionsWatch;
use super::under_way::Drill;
use super::visitor::shortest_ready;
use crate::shop::ledger::Ledger;
use crate::shop::patiently::patiently;
use crate::shop::purchase::{Purchase, PurchaseEnding};
use crate::shop::told::Told;

/// The first sale must come within this time. A shop that has sold nothing by then has a problem of its own.
const FIRST_SALE_WITHIN: Duration = Duration::from_secs(15);
/// How long the load runs before the fault: long enough that all buyers are in the middle of something.
const BEFORE: Duration = Duration::from_millis(500);
/// How long the products with too few copies are on sale before the fault. They must not be sold out by then.
const SCARCE_BEFORE: Duration = Duration::from_millis(200);
/// The longest wait for the first sales after the fault, and for the end of the sale of the products with too few
/// copies.
const AFTERWARDS: Duration = Duration::from_secs(15);

/// A fault that was drilled.
pub struct DrillRound {
    /// The fault.
    pub fault: &'static Fault,
    /// What was found out about it.
    pub findings: DrillFindings,
    /// The rows when all buyers had their answers.
    pub seen: Vec<Seen>,
    /// When these rows were read.
    pub read: Instant,
}

/// The rows of a product at the first look.
pub struct Seen {
    /// The strategy that sells it.
    pub strategy: String,
    /// The id of the product.
    pub product: Uuid,
    /// Copies at the beginning.
    pub stock: u32,
    /// Its orders.
    pub orders: BTreeSet<Uuid>,
    /// Copies that were not sold. Those that were held may go back into stock meanwhile.
    pub unsold: i64,
}

/// Drills `fault`. The fault lasts for `lasts`, and the load runs for at least `load`. `random` decides what is left
/// to chance.
///
/// # Errors
/// When the shop sells nothing before the fault, when the fault can't be done, or when the rows can't be read
/// afterwards.
pub(super) async fn drill(
    drill: &Drill<'_>,
    fault: &'static Fault,
    lasts: Duration,
    load: Duration,
    mut random: Rng,
    say: &(dyn Fn(&str) + Sync),
) -> anyhow::Result<DrillRound> {
    say("the buyers come");
    let Drill { shop, database, pulse, options, distance, .. } = *drill;
    let time = load + lasts + AFTERWARDS * 3;
    let is_for_a_crowd = fault.kind == Kind::Burst;
    let shelves = put_on_sale(database, drill.contestants, options, is_for_a_crowd, time).await?;
    let notary = Notary::open(database);
    let market = Market::open(shop, shelves, notary.counter());
    pulse.take_beats();
    let watch = SessionsWatch::begin(database, options.window());
    let begun = Instant::now();
    let buyers = market.send_steady_buyers(options.buyers, &mut random)?;
    let leavers = options.leaving.then(|| Leavers::send(&market, options.leavers(), &mut random));
    let first_sales = timeout(FIRST_SALE_WITHIN, market.sales_after(begun)).await;
    first_sales.context("the shop sold nothing, and no fault was caused yet. See why: make logs")?;
    let ready = match drill.near {
        Some(near) => Some(ReadyTimes { near, far: shortest_ready(shop).await? }),
        None => None,
    };
    sleep(BEFORE).await;
    market.put_scarce_on_sale();
    sleep(SCARCE_BEFORE).await;

    say(fault.what);
    let replicas = pulse.replicas();
    let mut scene = Scene {
        market: &market,
        shop,
        database,
        pulse,
        distance,
        watch: &watch,
        book: drill.book().await?,
        lasts,
        burst: options.burst,
        leavers: (!options.leaving).then(|| options.leavers()),
        connections: replicas * options.pool_size as usize,
        victim: random.usize(..replicas.max(1)),
        random: random.fork(),
    };
    let mut struck = strike(fault, &mut scene).await?;

    say("the shop recovers");
    let _ = timeout(AFTERWARDS, market.sales_after(struck.ended)).await;
    let _ = timeout(AFTERWARDS, market.scarce_sold_out()).await;
    sleep_until((begun + load).into()).await;
    say("the last buyers go home");
    if let Some(leavers) = leavers {
        struck.leaving = Some(leavers.call_off().await);
    }
    market.close(buyers).await;
    say("comparing what they were told with the rows");
    let beats = pulse.take_beats();
    let not_there_when_told = notary.close().await;
    let left_in_transaction = watch.end(fault.stands_still()).await?;
    let (mut findings, seen) = compare(drill, &market, &scene.book, &struck).await?;
    findings.beats = beats;
    findings.not_there_when_told = not_there_when_told;
    findings.left_in_transaction = left_in_transaction;
    findings.leaving = struck.leaving;
    findings.ready = struck.ready.or(ready).into_iter().collect();
    Ok(DrillRound { fault, findings, seen, read: Instant::now() })
}

async fn compare(
    drill: &Drill<'_>,
    market: &Market,
    book: &[Item],
    struck: &Struck,
) -> anyhow::Result<(DrillFindings, Vec<Seen>)> {
    let clock_ahead = patiently(|| drill.database.clock_ahead()).await?;
    let purchases = market.take_purchases();
    let of = |product: Uuid| purchases.get(&product).map(Vec::as_slice).unwrap_or_default();
    let (mut ledgers, mut seen) = (BTreeMap::<String, Ledger>::new(), Vec::new());
    for shelf in market.shelves() {
        for &Item { product, stock, .. } in shelf.items() {
            let bought = of(product);
            let holdings = patiently(|| drill.database.holdings(product, stock, clock_ahead)).await?;
            let keys = patiently(|| OrdersOfKeys::read(drill.database, bought)).await?;
            let ledger = compare_purchases(bought, &holdings, &keys, stock as usize);
            ledgers.entry(shelf.strategy.clone()).or_default().add(ledger);
            let strategy = shelf.strategy.clone();
            let unsold = holdings.unsold();
            seen.push(Seen { strategy, product, stock, orders: holdings.orders, unsold });
        }
    }
    let mut counts = Counts::of(purchases.values().flatten());
    struck.wrong.iter().for_each(|(what, times)| counts.add_wrong(what, *times));
    if let (Some(sightings), [book, ..]) = (&struck.sightings, book) {
        sightings.failed_resets.iter().for_each(|what| counts.add_wrong(what, 1));
        let ledger = compare_book(drill, book.product, of(book.product), sightings).await?;
        ledgers.insert(THE_BOOK.to_owned(), ledger);
    }
    let mut lost_answers = struck.answers_lost.map(LostAnswers::new);
    if let Some(lost) = &mut lost_answers {
        for shelf in market.shelves() {
            lost.note(&shelf.strategy, shelf.items().iter().flat_map(|item| of(item.product)));
        }
    }
    let first_sale =
        |shelf: &Shelf| (shelf.strategy.clone(), first_sale_after(of(shelf.plenty.product), struck.ended));
    let recovery = Recovery { strategies: market.shelves().iter().map(first_sale).collect() };
    let findings = DrillFindings {
        counts,
        ledgers,
        recoveries: vec![recovery],
        away: struck.away.into_iter().collect(),
        lost_answers,
        ..DrillFindings::default()
    };
    Ok((findings, seen))
}

async fn compare_book(
    drill: &Drill<'_>,
    book: Uuid,
    purchases: &[Purchase],
    sightings: &Sightings,
) -> anyhow::Result<Ledger> {
    let keys = keys_of(purchases, &PurchaseEnding::NotCarriedOut);
    let of_refused_keys = drill.database.orders_of_keys(&keys).await?;
    let rows = drill.database.rows(book).await?;
    Ok(sightings.clone().ledger(purchases, &rows, &of_refused_keys))
}

fn first_sale_after(purchases: &[Purchase], moment: Instant) -> Option<Duration> {
    let requests = purchases.iter().flat_map(|purchase| &purchase.requests);
    let sold = requests.filter(|request| matches!(request.told, Told::Sold(_)));
    sold.filter_map(|request| request.answered.checked_duration_since(moment)).min()
}
