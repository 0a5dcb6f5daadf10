//! One fault, from the first buyer to the ledger. Start with [`drill`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use tokio::time::{sleep, sleep_until, timeout};
use uuid::Uuid;

use super::answer::Told;
use super::book::Sightings;
use super::counts::Counts;
use super::fault::{Fault, Kind};
use super::faults::{Scene, Struck, strike};
use super::ledger::{Holdings, Ledger};
use super::market::Market;
use super::purchase::{Ending, Purchase};
use super::verdict::Findings;
use super::{Drill, patiently};

/// Copies of the product that sells out in the middle of it.
const SCARCE: u32 = 40;
/// Copies for the crowd: too few for most.
const FOR_A_CROWD: u32 = 100;
/// More than a steady buyer can buy in a second.
const BOUGHT_IN_A_SECOND: u64 = 30;
/// A shop that has sold nothing by then has troubles of its own.
const FIRST_SALE_WITHIN: Duration = Duration::from_secs(15);
/// The load before anything is done: long enough that all buyers are in the middle of something.
const BEFORE: Duration = Duration::from_millis(500);
/// The scarce product is on sale so long before the fault: not so long that it is sold out.
const SCARCE_BEFORE: Duration = Duration::from_millis(200);
/// For the first sale after the fault, and for the sale of the scarce product.
const AFTERWARDS: Duration = Duration::from_secs(15);

/// A fault that was drilled.
pub struct Round {
    /// Which.
    pub fault: &'static Fault,
    /// What was found out.
    pub findings: Findings,
    /// What the rows were when all buyers had their answers.
    pub seen: Vec<Seen>,
    /// When that was.
    pub read: Instant,
}

/// The rows of a product at the first look.
pub struct Seen {
    /// Which.
    pub product: Uuid,
    /// Copies at the beginning.
    pub stock: u32,
    /// Its orders.
    pub orders: BTreeSet<Uuid>,
    /// Copies left.
    pub left: i64,
}

/// What is sold, and how many copies of it there are.
struct Goods {
    plenty: (Uuid, u32),
    scarce: (Uuid, u32),
    other: (Uuid, u32),
    book: Uuid,
}

/// Drills `fault`, which lasts for `lasts`, within a load of at least `load`. `random` decides
/// what is left to chance.
///
/// # Errors
/// When the shop sells nothing before it, the fault can't be done, or the rows can't be read afterwards.
pub(super) async fn drill(
    drill: &Drill<'_>,
    fault: &'static Fault,
    lasts: Duration,
    load: Duration,
    mut random: Rng,
    say: &(dyn Fn(&str) + Sync),
) -> anyhow::Result<Round> {
    say("the buyers come");
    let goods = put_on_sale(drill, fault, lasts, load).await?;
    let market = Market::open(drill.shop, drill.contestant, goods.plenty.0, goods.scarce.0);
    drill.pulse.take_beats();
    let begun = Instant::now();
    let buyers = market.send_steady_buyers(drill.options.buyers, &mut random)?;
    let first_sale = timeout(FIRST_SALE_WITHIN, market.sale_after(begun)).await;
    first_sale.context("nothing was sold before anything was done. Is the shop well? Look at: make logs")?;
    sleep(BEFORE).await;
    market.put_scarce_on_sale();
    sleep(SCARCE_BEFORE).await;

    say(fault.what);
    let replicas = drill.pulse.replicas();
    let scene = Scene {
        market: &market,
        shop: drill.shop,
        database: drill.database,
        pulse: drill.pulse,
        plenty: goods.plenty.0,
        other: goods.other.0,
        book: goods.book,
        lasts,
        burst: drill.options.burst,
        connections: replicas * drill.options.pool_size as usize,
        victim: random.usize(..replicas.max(1)),
    };
    let struck = strike(fault, &scene).await?;

    say("the shop recovers");
    let _ = timeout(AFTERWARDS, market.sale_after(struck.ended)).await;
    let _ = timeout(AFTERWARDS, market.scarce_sold_out()).await;
    sleep_until((begun + load).into()).await;
    say("the last buyers go home");
    market.close(buyers).await;
    say("comparing what they were told with the rows");
    let beats = drill.pulse.take_beats();
    let purchases = market.take_purchases();
    let mut round = compare(drill, fault, &goods, &purchases, &struck).await?;
    round.findings.beats = beats;
    Ok(round)
}

async fn put_on_sale(
    drill: &Drill<'_>,
    fault: &Fault,
    lasts: Duration,
    load: Duration,
) -> anyhow::Result<Goods> {
    let seconds = (load + lasts + AFTERWARDS * 3).as_secs();
    let enough = u32::try_from(drill.options.buyers as u64 * BOUGHT_IN_A_SECOND * seconds)?;
    let of_other = if fault.kind == Kind::Burst { FOR_A_CROWD } else { enough };
    let make = async |stock: u32| -> anyhow::Result<(Uuid, u32)> {
        let product = patiently(|| drill.contestant.make_product(drill.database, stock)).await?;
        Ok((product, stock))
    };
    Ok(Goods {
        plenty: make(enough).await?,
        scarce: make(SCARCE).await?,
        other: make(of_other).await?,
        book: drill.shop.featured_product().await?.id,
    })
}

async fn compare(
    drill: &Drill<'_>,
    fault: &'static Fault,
    goods: &Goods,
    purchases: &BTreeMap<Uuid, Vec<Purchase>>,
    struck: &Struck,
) -> anyhow::Result<Round> {
    let clock_ahead = patiently(|| drill.database.clock_ahead()).await?;
    let of = |product: Uuid| purchases.get(&product).map(Vec::as_slice).unwrap_or_default();
    let (mut ledgers, mut seen) = (Vec::new(), Vec::new());
    for (product, stock) in [goods.plenty, goods.scarce, goods.other] {
        let bought = of(product);
        let read = || Holdings::read(drill.database, product, stock, bought, clock_ahead);
        let holdings = patiently(read).await?;
        ledgers.push(Ledger::compare(bought, &holdings, stock as usize));
        seen.push(Seen { product, stock, orders: holdings.orders, left: holdings.left });
    }
    let mut counts = Counts::of(purchases.values().flatten());
    if let Some(sightings) = &struck.sightings {
        sightings.failed_resets.iter().for_each(|what| counts.add_wrong(what, 1));
        ledgers.push(compare_book(drill, goods.book, of(goods.book), sightings).await?);
    }
    let findings = Findings {
        counts,
        ledger: Ledger::sum(ledgers),
        recoveries: vec![first_sale_after(of(goods.plenty.0), struck.ended)],
        away: struck.away.into_iter().collect(),
        beats: Vec::new(),
    };
    Ok(Round { fault, findings, seen, read: Instant::now() })
}

async fn compare_book(
    drill: &Drill<'_>,
    book: Uuid,
    purchases: &[Purchase],
    sightings: &Sightings,
) -> anyhow::Result<Ledger> {
    let refused = purchases.iter().filter(|purchase| purchase.ending() == Ending::NotCarriedOut);
    let keys: Vec<String> = refused.filter_map(|purchase| purchase.key.clone()).collect();
    let of_refused_keys = drill.database.orders_of_keys(&keys).await?;
    let rows = drill.database.rows(book).await?;
    Ok(sightings.clone().ledger(purchases, &rows, &of_refused_keys))
}

fn first_sale_after(purchases: &[Purchase], moment: Instant) -> Option<Duration> {
    let requests = purchases.iter().flat_map(|purchase| &purchase.requests);
    let sold = requests.filter(|request| matches!(request.told, Told::Sold(_)));
    sold.filter_map(|request| request.answered.checked_duration_since(moment)).min()
}
