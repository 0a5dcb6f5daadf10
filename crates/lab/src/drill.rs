//! Drills faults. Each fault is done to the running shop while buyers buy. Then the drill compares what the buyers
//! were told with the rows of the database. Start with [`run`]. The faults are in [`fault`], and the meaning of each
//! figure is in [`definitions`].

pub mod book;
pub mod counts;
pub mod definitions;
pub mod distance;
pub mod fault;
pub mod faults;
pub mod findings;
pub mod goods;
pub mod leavers;
pub mod leaving;
pub mod ledger;
pub mod lost_answers;
pub mod market;
pub mod notary;
pub mod options;
pub mod original;
pub mod pulse;
pub mod purchase;
pub mod report;
pub mod resources;
mod round;
pub mod rows;
pub mod scene;
pub mod sessions_watch;
pub mod skip;
pub mod soak;
pub mod table;
pub mod under_way;
pub mod verdict;
pub mod visitor;

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fastrand::Rng;
use flash_sale_core::limits::{LOCK_TIMEOUT, STATEMENT_TIMEOUT};
use sea_orm::sqlx::Connection;
use tokio::time::{sleep, sleep_until};

use crate::control::loan::Loan;
use crate::control::messages::Status;
use crate::control::running;
use crate::shop::client::Shop;
use crate::shop::contestant;
use crate::shop::database::ShopDatabase;
use crate::shop::patiently::patiently;
use crate::shop::target::Target;
use crate::signals::end_signal;
use crate::wording::counted;
use distance::Distance;
use fault::{Fault, Kind};
use findings::DrillFindings;
use options::DrillOptions;
use pulse::Pulse;
use report::{DrillReport, DrillRow};
use resources::Resources;
use round::DrillRound;
use skip::DrillPlace;
use soak::Soak;
use under_way::{Drill, SayStep, Step};
use visitor::shortest_ready;

/// After this time no statement of the shop can still run: the longest wait for a lock, then the longest statement,
/// and one second more.
const NOTHING_RUNS_AFTER: Duration =
    LOCK_TIMEOUT.saturating_add(STATEMENT_TIMEOUT).saturating_add(Duration::from_secs(1));

/// Drills these faults at the lab that has this status, on products of the lab's own. However the drill ends, the
/// products are removed, the changes that the faults made are taken back, and the replicas run with their own race
/// window (`RACE_WINDOW_MS`) again.
///
/// # Errors
/// When the shop or its database can't be asked; when a fault can't be done; when a check, a race or another drill
/// runs; when the person says stop.
pub async fn run(
    status: &Status,
    faults: &[&'static Fault],
    options: &DrillOptions,
    say: SayStep<'_>,
) -> anyhow::Result<DrillReport> {
    let target = Target::of(status)?;
    let shop = Shop::at(&target.url).await?;
    let database = ShopDatabase::connect(&target.database_url).await?;
    let turn = database.take_turn("make drill").await?;
    take_back(&database).await?;
    if let orders @ 1.. = database.shops_orders().await? {
        let orders = counted(usize::try_from(orders)?, "order");
        say(Step::Done(format!("The drill resets the shop: its {orders} will be deleted.")));
    }
    let contestants = contestant::choose(&shop, &options.strategies).await?;
    let place = DrillPlace::look(status, &database).await?;
    place.allows(options)?;
    let skipped = place.skip(faults, options, &contestants);
    let faults: Vec<&Fault> =
        faults.iter().copied().filter(|fault| !skipped.contains_key(fault.name)).collect();
    let loan = Loan::take_race_window(options.window_ms).await?;
    let pulse = Pulse::feel(&running().await?.replicas);
    let distance = Distance::default();

    let mut drill = Drill {
        shop: &shop,
        database: &database,
        contestants: &contestants,
        options,
        pulse: &pulse,
        distance: &distance,
        near: None,
        say,
        turn,
        random: Rng::with_seed(options.seed.into()),
    };
    let drilled = tokio::select! {
        drilled = drill.all(&faults) => drilled,
        signal = end_signal() => {
            signal?;
            Err(anyhow::anyhow!("stopped before the end. Again: make drill"))
        }
    };
    let refused_writes = faults.iter().any(|fault| fault.kind == Kind::ReadOnly);
    let writes_allowed = if refused_writes { patiently(|| database.allow_writes()).await } else { Ok(()) };
    let taken_back = patiently(|| take_back(&database)).await;
    let came_near = distance.come_near().await;
    let given_back = loan.give_back().await.context("the replicas keep the drill's race window");
    let reset = patiently(|| shop.reset()).await;
    let (rows, soak) = drilled?;
    writes_allowed.and(taken_back).and(came_near).and(given_back).and(reset)?;
    Ok(DrillReport::new(options.clone(), status.wiretap, rows, skipped, soak))
}

/// Removes what a drill leaves in the database: the products and keys of this drill, and those of a drill that was
/// killed.
async fn take_back(database: &ShopDatabase) -> anyhow::Result<()> {
    database.remove_products().await?;
    database.forget_keys().await
}

impl Drill<'_> {
    async fn all(&mut self, faults: &[&'static Fault]) -> anyhow::Result<(Vec<DrillRow>, Option<Soak>)> {
        if self.options.far {
            self.near = Some(shortest_ready(self.shop).await?);
            self.distance.go_far().await?;
        }
        let (mut rounds, soak) = match self.options.soak_minutes {
            Some(minutes) => {
                let (rounds, soak) = self.soak(faults, minutes).await?;
                (rounds, Some(soak))
            }
            None => (self.each_once(faults).await?, None),
        };
        self.look_again(&mut rounds).await?;
        let rows = faults.iter().filter_map(|fault| self.sum_up(fault, &rounds)).collect();
        Ok((rows, soak))
    }

    async fn each_once(&mut self, faults: &[&'static Fault]) -> anyhow::Result<Vec<DrillRound>> {
        let load = Duration::from_secs(self.options.seconds);
        let chosen = self.options.lasts_seconds.map(Duration::from_secs);
        let mut rounds = Vec::with_capacity(faults.len());
        for (index, fault) in faults.iter().enumerate() {
            let number = format!("{} of {}", index + 1, faults.len());
            rounds.push(self.one(fault, fault.lasts(chosen, load), load, &number).await?);
        }
        Ok(rounds)
    }

    async fn soak(
        &mut self,
        faults: &[&'static Fault],
        minutes: u64,
    ) -> anyhow::Result<(Vec<DrillRound>, Soak)> {
        let Some(first) = soak::warm_up(faults) else { bail!("no fault can be done here") };
        let mut rounds = vec![self.one(first, Duration::from_secs(1), soak::LOAD, "warm-up").await?];
        let start = self.measure().await?;
        let over = Instant::now() + Duration::from_secs(minutes * 60);
        while Instant::now() < over {
            let (fault, lasts) = soak::next(faults, &mut self.random);
            let number = format!("{} min left", (over - Instant::now()).as_secs().div_ceil(60));
            let lasts = fault.lasts(Some(lasts), soak::LOAD);
            rounds.push(self.one(fault, lasts, soak::LOAD, &number).await?);
        }
        let end = self.measure().await?;
        let growth = start.growth(&end, self.options.pool_size);
        let soak = Soak { minutes, faults: rounds.len() - 1, start, end, growth };
        Ok((rounds, soak))
    }

    /// Drills one fault. Afterwards it takes the drill's turn again, if the turn was lost: the fault may have ended
    /// the session that holds it. Other commands must go on waiting for the end of the drill.
    async fn one(
        &mut self,
        fault: &'static Fault,
        lasts: Duration,
        load: Duration,
        number: &str,
    ) -> anyhow::Result<DrillRound> {
        let (name, random) = (fault.name, self.random.fork());
        let doing = |what: &str| (self.say)(Step::Doing(format!("{name} ({number}): {what}")));
        let round = round::drill(self, fault, lasts, load, random, &doing).await;
        let round = round.with_context(|| format!("{name} could not be drilled"))?;
        if self.turn.ping().await.is_err() {
            self.turn = patiently(|| self.database.take_turn("make drill")).await?;
        }
        let broken = round.findings.broken(fault, &self.may_oversell());
        let verdict = if broken.is_empty() { "survived".to_owned() } else { broken.join("; ") };
        (self.say)(Step::Done(format!("{name}: {verdict}")));
        Ok(round)
    }

    /// Waits until no statement can run any more. Then it counts the orders that came or went after the last answer.
    async fn look_again(&self, rounds: &mut [DrillRound]) -> anyhow::Result<()> {
        let Some(last) = rounds.iter().map(|round| round.read).max() else { return Ok(()) };
        (self.say)(Step::Doing("looking for purchases that are committed late".to_owned()));
        sleep_until((last + NOTHING_RUNS_AFTER).into()).await;
        for round in rounds {
            for seen in &round.seen {
                let holdings = self.database.holdings(seen.product, seen.stock, 0.0).await?;
                let changed = seen.orders.symmetric_difference(&holdings.orders).count();
                let ledger = round.findings.ledgers.entry(seen.strategy.clone()).or_default();
                ledger.committed_later += changed.max(usize::from(holdings.unsold() != seen.unsold));
            }
        }
        Ok(())
    }

    async fn measure(&self) -> anyhow::Result<Resources> {
        (self.say)(Step::Doing("measuring memory, files and sessions".to_owned()));
        sleep(soak::REST).await;
        Resources::measure(&running().await?, self.database).await
    }

    fn sum_up(&self, fault: &Fault, rounds: &[DrillRound]) -> Option<DrillRow> {
        let of_fault: Vec<&DrillFindings> = rounds
            .iter()
            .filter(|round| round.fault.kind == fault.kind)
            .map(|round| &round.findings)
            .collect();
        let findings = DrillFindings::sum(&of_fault);
        let row = || DrillRow::new(fault, of_fault.len(), &findings, &self.may_oversell());
        (!of_fault.is_empty()).then(row)
    }
}
