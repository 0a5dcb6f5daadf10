//! The benchmark: how much each strategy sells in a second, beside what PostgreSQL does with the same statements and no
//! shop around them. Rounds of the shop and of pgbench follow one another on the same server, and each figure is
//! compared with one of the same minute: so a busy machine spoils both alike. Start with [`run`]. The meaning of each
//! figure is in [`definitions`].

pub mod ceiling;
pub mod chart_files;
pub mod conditions;
pub mod cpu;
pub mod definitions;
pub mod due_times;
pub mod guide_part;
pub mod kept_report;
pub mod ledger;
pub mod load;
pub mod options;
pub mod own_shop;
pub mod pgbench;
pub mod report;
pub mod rows;
pub mod spread;
pub mod table;
pub mod tally;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use chrono::Utc;
use uuid::Uuid;

use crate::console;
use crate::shop::client::Shop;
use crate::shop::contestant::{self, Contestant};
use crate::shop::kept_connection::BuyBytes;
use crate::shop::patiently::patiently;
use conditions::Conditions;
use load::{Load, LoadPlan};
use options::BenchOptions;
use own_shop::OwnShop;
use pgbench::{Pgbench, Script};
use report::{BenchReport, BenchRound, Benched};
use tally::Tally;

/// Copies of each product: nobody can buy so many in a round.
const STOCK: u32 = 10_000_000;
/// With `skip_locked`, each copy is a row that somebody has to make, so there are only as many as can be sold.
const UNITS_IN_A_SECOND: f64 = 10_000.0;
/// A figure of pgbench is compared with so many rounds of the shop at most. Then it is measured again.
const ROUNDS_OF_A_REFERENCE: usize = 5;

/// How long the round is that comes before all others of a crowd and is not measured. It opens the connections of the
/// replicas' pools.
const WARM_UP_SECONDS: f64 = 0.5;

/// Is called before each round, with what is measured, the number of rounds that are done, and the number of all rounds.
pub type BenchAdvance<'a> = &'a (dyn Fn(&str, usize, usize) + Send + Sync);

/// Starts a shop whose replicas run `binary`, measures, and ends the shop again.
///
/// # Errors
/// When something doesn't start or ends too early, or the shop doesn't know a strategy.
pub async fn run(
    binary: &Path,
    options: &BenchOptions,
    advance: BenchAdvance<'_>,
) -> anyhow::Result<BenchReport> {
    let clients = options.buyers.iter().copied().max().unwrap_or_default();
    let (shop, mut processes) = own_shop::open(binary, clients).await?;
    let measured = tokio::select! {
        measured = measure(&shop, options, advance) => measured,
        ended = processes.first_end() => Err(ended),
    };
    // Before the shop ends: as long as it works, no other benchmark and no `make clean` works in the same folder.
    if let Ok(report) = &measured
        && let Err(error) = kept_report::keep(report)
    {
        console::error_line(format_args!("The dashboard can't show this report: {error:#}"));
    }
    processes.stop().await;
    measured
}

async fn measure(
    shop: &OwnShop,
    options: &BenchOptions,
    advance: BenchAdvance<'_>,
) -> anyhow::Result<BenchReport> {
    let visitor = Shop::at(&format!("http://{}", shop.address)).await?;
    let contestants = in_groups(contestant::choose(&visitor, &options.strategies).await?);
    advance("conditions", 0, 1);
    let conditions = Conditions::look(shop, options.release).await?;
    let pgbench = if options.pgbench { Pgbench::find(&shop.shop_url)? } else { None };

    let mut bench = Bench { shop, options, pgbench: pgbench.as_ref(), advance, done: 0, all: 0 };
    bench.all = options.crowds().len() * options.rounds * contestants.len();
    let mut rows = Vec::new();
    for (buyers, products) in options.crowds() {
        rows.extend(bench.measure_crowd(&contestants, buyers, products).await?);
    }
    Ok(BenchReport {
        is_right: rows.iter().all(|benched| benched.row.is_right()),
        ended_at: Utc::now(),
        options: options.clone(),
        conditions,
        pgbench: match (&pgbench, options.pgbench) {
            (Some(_), _) => "yes".to_owned(),
            (None, true) => "not installed, so there are no ratios".to_owned(),
            (None, false) => "left out, so there are no ratios".to_owned(),
        },
        replica_peak_memory_mib: shop.meter.peak_memory_kib().map(|kib| kib as f64 / 1024.0),
        rows,
    })
}

/// Those that are compared with the same script stand together, so that pgbench needs fewer rounds.
fn in_groups(mut contestants: Vec<Contestant>) -> Vec<Contestant> {
    contestants.sort_by_key(|contestant| Script::of(&contestant.name) as u8);
    contestants
}

/// What all rounds share.
struct Bench<'a> {
    shop: &'a OwnShop,
    options: &'a BenchOptions,
    pgbench: Option<&'a Pgbench>,
    advance: BenchAdvance<'a>,
    done: usize,
    all: usize,
}

/// A figure of pgbench, and how many rounds of the shop were compared with it.
struct Reference {
    per_second: f64,
    used: usize,
}

impl Bench<'_> {
    /// All rounds of all strategies with one crowd. A strategy whose ledger was wrong has no more rounds.
    async fn measure_crowd(
        &mut self,
        contestants: &[Contestant],
        buyers: usize,
        products: usize,
    ) -> anyhow::Result<Vec<Benched>> {
        let mut load = Load::gather(self.shop.address, buyers).await?;
        let mut rounds: Vec<Vec<BenchRound>> = contestants.iter().map(|_| Vec::new()).collect();
        let mut flaws: Vec<Option<String>> = vec![None; contestants.len()];
        if let Some(contestant) = contestants.first() {
            self.sell(&mut load, contestant, products, WARM_UP_SECONDS).await?;
        }
        for _ in 0..self.options.rounds {
            let mut references: HashMap<Script, Reference> = HashMap::new();
            for (number, contestant) in contestants.iter().enumerate() {
                (self.advance)(&contestant.name, self.done, self.all);
                self.done += 1;
                if flaws[number].is_some() {
                    continue;
                }
                let reference = self.refer(&mut references, contestant, buyers, products).await?;
                let (mut round, flaw) =
                    self.sell(&mut load, contestant, products, self.options.seconds).await?;
                round.pgbench_per_second = reference;
                rounds[number].push(round);
                flaws[number] = flaw;
            }
        }
        let all = contestants.iter().zip(rounds).zip(flaws);
        Ok(all
            .map(|((contestant, rounds), flaw)| {
                Benched::sum_up((&contestant.name, buyers, products), rounds, self.options.seconds, flaw)
            })
            .collect())
    }

    /// One round of a strategy, and what is wrong with its ledger.
    async fn sell(
        &self,
        load: &mut Load,
        contestant: &Contestant,
        products: usize,
        seconds: f64,
    ) -> anyhow::Result<(BenchRound, Option<String>)> {
        let database = &self.shop.database;
        let stock = self.stock_for(contestant, products);
        let mut made = Vec::with_capacity(products);
        for _ in 0..products {
            made.push(contestant.make_product(database, stock).await?);
        }
        let strategy = contestant.strategy();
        let request = |product: &Uuid| BuyBytes::new(self.shop.address, *product, strategy.as_deref());
        let requests = Arc::new(made.iter().map(request).collect());
        let plan = LoadPlan { requests, seconds, rate: self.options.rate };

        let (before, start) = (self.shop.meter.read(), Instant::now());
        let tally = load.buy(&plan).await?;
        let (after, lasted) = (self.shop.meter.read(), start.elapsed().as_secs_f64());
        let cpu = before.zip(after).map(|(before, after)| after.since(&before));

        let ledger = ledger::read(database, &made, stock, &tally).await?;
        let flaw = ledger::flaw(&ledger, &tally);
        patiently(|| database.clear_sales()).await?;
        Ok((BenchRound { tally, cpu, lasted, pgbench_per_second: None }, flaw))
    }

    /// What pgbench does just now with the script that this strategy is compared with, or did a few rounds ago. `None`
    /// without pgbench.
    async fn refer(
        &self,
        references: &mut HashMap<Script, Reference>,
        contestant: &Contestant,
        buyers: usize,
        products: usize,
    ) -> anyhow::Result<Option<f64>> {
        // In an open loop, the rate is given, and there is nothing to compare it with.
        let (Some(pgbench), None) = (self.pgbench, self.options.rate) else { return Ok(None) };
        let script = Script::of(&contestant.name);
        if let Some(reference) = references.get_mut(&script)
            && reference.used < ROUNDS_OF_A_REFERENCE
        {
            reference.used += 1;
            return Ok(Some(reference.per_second));
        }
        let database = &self.shop.database;
        let mut made = Vec::with_capacity(products);
        for _ in 0..products {
            let product = database.make_product("sold by pgbench", STOCK as i32).await?;
            if let Some(buckets) = contestant.buckets {
                database.spread_stock(product, buckets).await?;
            }
            made.push(product);
        }
        let seconds = (self.options.seconds.round() as u64).max(1);
        let round = pgbench.run(script, &made, buyers, seconds).await?;
        // pgbench knows no ids, so its ledger is the sum of the rows alone.
        let ledger = ledger::read(database, &made, STOCK, &Tally::default()).await?;
        ensure!(
            ledger.unconserved == 0 && ledger.oversold == 0 && ledger.sold == round.transactions,
            "pgbench says that it made {} sales, and the database holds {}",
            round.transactions,
            ledger.sold
        );
        patiently(|| database.clear_sales()).await.context("after pgbench")?;
        references.insert(script, Reference { per_second: round.per_second, used: 1 });
        Ok(Some(round.per_second))
    }

    fn stock_for(&self, contestant: &Contestant, products: usize) -> u32 {
        if contestant.name != "skip_locked" {
            return STOCK;
        }
        // Buyers choose a product at random, so some products are wanted more than others.
        let all = UNITS_IN_A_SECOND * self.options.seconds.max(1.0);
        (all / products as f64 * if products == 1 { 1.0 } else { 2.0 }).ceil() as u32
    }
}
