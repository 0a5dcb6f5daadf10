//! Judges the running shop from outside: is the bug gone, for the right reason, and at nobody's expense? Start with
//! [`run`]; each other file looks at one thing. A verdict comes within a minute, however the shop behaves, because each
//! part of the check has a time limit. A part that can't be played is reported as left out, with the reason.

pub mod alone;
pub mod architecture;
pub mod costs;
pub mod crowd;
pub mod failures;
pub mod first_error;
pub mod interleavings;
pub mod ledger;
pub mod naming;
pub mod one_click;
pub mod part;
pub mod patience;
pub mod played;
pub mod purchase;
pub mod up_to_date;
pub mod verdict;
pub mod witness;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::ensure;
use flash_sale_core::limits::REQUEST_DEADLINE;
use flash_sale_testbed::reason::told;
use log::warn;
use tokio::time::{sleep, timeout, timeout_at};

use alone::Alone;
use crowd::Sale;
use one_click::OneClick;
use part::{Made, Part, Say};
use patience::Held;
use played::Interleavings;
use verdict::{Check, CheckReport, Figures};

use crate::shop::buy_request::BuyRequest;
use crate::shop::client::Shop;
use crate::shop::database::ShopDatabase;
use crate::shop::target::Target;
use crate::shop::told::Told;
use crate::signals::EndSignals;

/// For each crowd: how many copies there are, and how many buyers.
const CROWDS: [(usize, usize); 2] = [(1, 50), (10, 200)];
/// A copy for each buyer. Even a shop that sells one copy after the other, as with a row lock, sells these ten in
/// little more than a second. That is below every limit of the shop.
const ENOUGH_FOR_ALL: (usize, usize) = (10, 10);

/// How long to wait until the shop can use its database: longer than a purchase may hold a connection.
const READY_LIMIT: Duration = REQUEST_DEADLINE.saturating_add(Duration::from_secs(1));
/// The time for all parts except the clicks. A right fix needs a quarter of it.
const TIME_BESIDE_CLICKS: Duration = Duration::from_secs(20);
/// The time to remove the check's products. A purchase that hangs may hold a row until the shop gives it up.
const CLEANING_LIMIT: Duration = Duration::from_secs(8);
const RESET_LIMIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(100);

/// How to judge.
#[derive(Clone, Copy, Debug)]
pub struct CheckOptions<'a> {
    /// The program that the replicas run. `None`: it is not known, and the interleavings are left out.
    pub binary: Option<&'a Path>,
    /// How many clicks.
    pub rounds: usize,
    /// Whether the database may have rules of its own.
    pub allow_constraint: bool,
}

/// Who is told how far a check is, and what it has found so far.
#[derive(Clone, Copy)]
pub struct Listener<'a> {
    /// Is told how far the check is.
    pub say: Say<'a>,
    /// Is told each check that looks at one part only, when this part is over. The report has all checks.
    pub made: Made<'a>,
}

/// Judges the shop. Then it resets the shop and removes all products of the lab, also when the judging failed or was
/// stopped.
///
/// # Errors
/// When no shop answers, its database can't be asked, another check runs, or the person stops the check.
pub async fn run(
    target: &Target,
    options: CheckOptions<'_>,
    listener: Listener<'_>,
) -> anyhow::Result<CheckReport> {
    let shop = Shop::at(&target.url).await?;
    let away = "the shop can't use its database, and no edit can change that. See why: make logs";
    ensure!(uses_its_database(&shop).await, away);
    let database = ShopDatabase::connect(&target.database_url).await?;
    let _turn = database.take_turn("make check").await?;
    database.remove_products().await?;

    let mut signals = EndSignals::listen()?;
    let report = tokio::select! {
        report = judge(&shop, &database, options, listener) => report,
        _ = signals.next() => Err(anyhow::anyhow!("stopped before the verdict. Again: make check")),
    };
    tokio::join!(remove_products(&database), reset(&shop));
    report
}

/// Whether the shop can use its database. Purchases that hang may hold all connections of a replica, but no longer than
/// the shop's own deadline. So this asks for a while before it returns false.
async fn uses_its_database(shop: &Shop) -> bool {
    let until_it_does = async {
        while shop.get("/ready").await.is_ok_and(|answer| answer.status == 503) {
            sleep(POLL).await;
        }
    };
    timeout(READY_LIMIT, until_it_does).await.is_ok()
}

/// Removes the lab's products. A purchase that hangs may hold one of their rows, so this tries for a while. The next
/// check removes what is left.
async fn remove_products(database: &ShopDatabase) {
    let removal = async {
        while database.remove_products().await.is_err() {
            sleep(POLL).await;
        }
    };
    if timeout(CLEANING_LIMIT, removal).await.is_err() {
        warn!("the products of this check could not be removed. The next check removes them");
    }
}

/// Resets the shop. A replica that has just ended is there again in a moment, so this tries for a while.
async fn reset(shop: &Shop) {
    let mut refusal = "no answer".to_owned();
    let resetting = async {
        while let Err(error) = shop.reset().await {
            refusal = told(&error);
            sleep(POLL).await;
        }
    };
    if timeout(RESET_LIMIT, resetting).await.is_err() {
        warn!("the shop could not be reset: {refusal}");
    }
}

/// What the parts of the check have seen.
struct CheckFindings {
    interleavings: Part<Interleavings>,
    replicas: BTreeSet<String>,
    alone: Alone,
    clicks: OneClick,
    /// One for each of [`CROWDS`].
    crowds: Vec<Part<Sale>>,
    enough: Part<Sale>,
    held: Part<Held>,
    deadlocks: usize,
    constraints: Check,
}

async fn judge(
    shop: &Shop,
    database: &ShopDatabase,
    options: CheckOptions<'_>,
    listener: Listener<'_>,
) -> anyhow::Result<CheckReport> {
    let begun = Instant::now();
    let findings = look(shop, database, options, listener).await?;
    let mut report = findings.report();
    report.figures.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

async fn look(
    shop: &Shop,
    database: &ShopDatabase,
    options: CheckOptions<'_>,
    listener: Listener<'_>,
) -> anyhow::Result<CheckFindings> {
    let Listener { say, made } = listener;
    let deadlocks_before = database.deadlocks().await?;
    let replicas = architecture::find_replicas(shop).await?;
    let alone = alone::buy(shop, database).await?;
    let mut obstacle = alone.obstacle();

    // These buyers mostly wait for payments. Meanwhile the stage opens, which takes as long.
    let selling_to_all = crowd::sell(shop, database, ENOUGH_FOR_ALL, say);
    let limit = Instant::now() + TIME_BESIDE_CLICKS;
    let selling_to_all = play(limit, obstacle.as_ref(), selling_to_all);
    let (stage, enough) = tokio::join!(interleavings::open(options.binary), selling_to_all);
    let began = SystemTime::now();
    let interleavings = interleavings::play(stage, say).await;
    if let Some(check) = interleavings::judge(&interleavings) {
        made(&check, began);
    }

    let deadline = Instant::now() + one_click::longest(options.rounds) + TIME_BESIDE_CLICKS;
    let began = SystemTime::now();
    let clicks = one_click::run(shop, options.rounds, say).await;
    made(&one_click::judge(&clicks), began);
    made(&architecture::judge_retry(&clicks), began);

    let mut crowds = Vec::new();
    for size in CROWDS {
        let began = SystemTime::now();
        let sale = play(deadline, obstacle.as_ref(), crowd::sell(shop, database, size, say)).await;
        made(&crowd::judge(size, &sale), began);
        // The verdict is clear already, and another crowd may take half a minute.
        if sale.as_ref().is_ok_and(Sale::has_failure) {
            obstacle = Some("the crowd before this one met failures".to_owned());
        }
        crowds.push(sale);
    }
    let obstacle = alone.obstacle();
    let began = SystemTime::now();
    let held = play(deadline, obstacle.as_ref(), patience::hold_and_look(shop, database, say)).await;
    made(&patience::judge_reads(&held), began);
    made(&patience::judge_others(&held), began);
    let deadlocks = (database.deadlocks().await? - deadlocks_before).try_into().unwrap_or_default();
    let constraints = architecture::judge_constraints(database, options.allow_constraint).await?;
    Ok(CheckFindings { interleavings, replicas, alone, clicks, crowds, enough, held, deadlocks, constraints })
}

/// Plays a part of the check, unless there is an obstacle.
async fn play<T>(
    deadline: Instant,
    obstacle: Option<&String>,
    part: impl Future<Output = anyhow::Result<T>>,
) -> Part<T> {
    if let Some(obstacle) = obstacle {
        return Err(obstacle.clone());
    }
    match timeout_at(deadline.into(), part).await {
        Ok(played) => played.map_err(|error| told(&error)),
        Err(_) => Err("the time of the check was over".to_owned()),
    }
}

impl CheckFindings {
    fn report(self) -> CheckReport {
        let Self { interleavings, replicas, alone, clicks, crowds, enough, held, deadlocks, constraints } =
            self;
        let in_crowds: Vec<&Sale> = crowds.iter().flatten().collect();
        let sales: Vec<&Sale> = in_crowds.iter().copied().chain(&enough).collect();
        let requests = all_requests(&sales, held.as_ref().ok());
        let costs = costs::of(&alone, &clicks, enough.as_ref().ok(), &sales);
        let mut checks = Vec::from_iter(interleavings::judge(&interleavings));
        checks.extend([
            one_click::judge(&clicks),
            crowd::judge(CROWDS[0], &crowds[0]),
            crowd::judge(CROWDS[1], &crowds[1]),
            ledger::judge_conservation(&clicks, &sales),
            ledger::judge_answers(&clicks, &sales),
            ledger::judge_lost_sales(&enough, &in_crowds),
            patience::judge_reads(&held),
            patience::judge_others(&held),
            failures::judge(&alone, &clicks, &sales, held.as_ref().ok(), deadlocks),
            architecture::judge_replicas(&replicas, &clicks, &requests),
            architecture::judge_retry(&clicks),
            architecture::judge_race_window(&alone, &clicks, &requests),
            constraints,
        ]);
        let figures = count(&clicks, &sales, &requests);
        let evidence = naming::evidence(&alone, &checks, interleavings.as_ref().ok());
        CheckReport::new(interleavings, checks, costs, figures).named(evidence)
    }
}

fn all_requests<'a>(sales: &[&'a Sale], held: Option<&'a Held>) -> Vec<&'a BuyRequest> {
    let in_crowds = sales.iter().flat_map(|sale| sale.requests());
    in_crowds.chain(held.into_iter().flat_map(Held::requests)).collect()
}

fn count(clicks: &OneClick, sales: &[&Sale], requests: &[&BuyRequest]) -> Figures {
    let attempts = || clicks.rounds.iter().flat_map(|round| &round.attempts);
    let sold_to_clicks = attempts().filter(|attempt| attempt.status_code() == Some(200)).count();
    let sold_to_others = requests.iter().filter(|request| matches!(request.told, Told::Sold(_))).count();
    Figures {
        rounds: clicks.rounds.len(),
        rounds_oversold: clicks.oversold(),
        purchases: attempts().count() + requests.len(),
        sold: sold_to_clicks + sold_to_others,
        copies_oversold: sales.iter().map(|sale| sale.oversold()).sum(),
        orders_deleted: clicks.orders_deleted,
        seconds: 0.0,
    }
}
