//! Explores: plays all schedules, counts what came of them, and keeps the worst one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::act::Act;
use crate::database::ExplorerDatabase;
use crate::outcome::{Flaw, Outcome};
use crate::piece::{Inside, Piece};
use crate::schedule::{Note, Schedule};
use crate::search::{Found, Search};
use crate::stage::Stage;
use crate::trouble::Trouble;

/// What to explore.
#[derive(Clone, Debug)]
pub struct ExploreOptions {
    /// What each actor does. The stage has a replica for each of them.
    pub acts: Vec<Act>,
    /// Copies at first.
    pub stock: u32,
    /// What chance chooses for each actor: the bucket from which `stock_buckets` takes its copy. 0 is the first bucket that
    /// has copies. Actors that are not named here have 0.
    pub dice: Vec<usize>,
    /// Which statements are stopped inside.
    pub inside: Inside,
    /// Whether schedules are left out from which nothing new can come.
    pub is_reduced: bool,
    /// What befalls the first actor.
    pub trouble: Option<Trouble>,
    /// No schedule begins after this time.
    pub time_limit: Duration,
}

/// What an exploration found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Exploration {
    /// How many schedules were played and counted.
    pub schedules: usize,
    /// How many were played, and could bring nothing new.
    pub redundant: usize,
    /// Whether there is no other schedule.
    pub complete: bool,
    /// In how many more copies were sold than there were.
    pub oversold: usize,
    /// In how many a buyer was told "Out of stock" and a copy was left.
    pub lost_sales: usize,
    /// In how many stock and orders together were not what they had been.
    pub unconserved: usize,
    /// In how many an answer was not true.
    pub dishonest: usize,
    /// In how many a request failed (5xx).
    pub failed: usize,
    /// In how many PostgreSQL ended a deadlock.
    pub deadlocked: usize,
    /// In how many a statement waited for another request's lock.
    pub waited: usize,
    /// How many schedules the requests didn't repeat up to the step where another one was to go on.
    pub not_repeated: usize,
    /// What was different the first time.
    pub difference: Option<String>,
    /// In how many the trouble that was asked for has befallen the first actor.
    pub troubled: usize,
    /// The statuses of the actors' answers, and in how many schedules they were given.
    pub answers: BTreeMap<String, usize>,
    /// The outcomes, each once.
    #[serde(skip)]
    pub outcomes: BTreeSet<OutcomeClass>,
    /// What the explorer could not control or see, and in how many schedules.
    pub notes: BTreeMap<Note, usize>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The worst schedule, with the fewest switches.
    pub counterexample: Option<Schedule>,
    /// A schedule without a flaw in which a statement waited, with the fewest switches.
    #[serde(skip)]
    pub example: Option<Schedule>,
}

/// What came of a schedule, without how it came: copies left, orders, statuses and flaws.
pub type OutcomeClass = (i64, usize, Vec<Option<u16>>, BTreeSet<Flaw>);

/// Plays all schedules. `advance` is called with the number of schedules so far.
///
/// # Errors
/// When a schedule can't be played: the requests wait for one another without end, or the database fails.
pub async fn explore(
    stage: &mut Stage,
    options: &ExploreOptions,
    advance: &(dyn Fn(&Exploration, &Schedule) + Send + Sync),
) -> anyhow::Result<Exploration> {
    let piece = stage.piece(options).await?;
    let tables = stage.database.tables().await?;
    let (began, mut search) = (Instant::now(), Search::new(options.is_reduced, tables));
    let mut exploration = Exploration::default();
    loop {
        if began.elapsed() > options.time_limit {
            break;
        }
        match search.next(stage, &piece).await? {
            Some(Found::Schedule(schedule)) => {
                exploration.count(&schedule);
                advance(&exploration, &schedule);
                exploration.keep(schedule);
            }
            Some(Found::Redundant) => exploration.redundant += 1,
            Some(Found::NotRepeated(difference)) => {
                exploration.not_repeated += 1;
                exploration.difference.get_or_insert(difference);
            }
            None => {
                exploration.complete = exploration.not_repeated == 0;
                break;
            }
        }
    }
    exploration.seconds = began.elapsed().as_secs_f64();
    Ok(exploration)
}

impl ExploreOptions {
    /// So many purchases of one product, whole statements, all schedules, however long that takes.
    pub fn of_purchases(strategy: Option<&str>, purchases: usize, stock: u32) -> Self {
        let purchase = Act::Buy { strategy: strategy.map(str::to_owned), key: None };
        Self {
            acts: vec![purchase; purchases],
            stock,
            dice: Vec::new(),
            inside: Inside::Never,
            is_reduced: false,
            trouble: None,
            time_limit: Duration::MAX,
        }
    }

    /// The strategy that the purchases name.
    pub(crate) fn strategy(&self) -> Option<&str> {
        self.acts.iter().find_map(|act| match act {
            Act::Buy { strategy, .. } => strategy.as_deref(),
            _ => None,
        })
    }
}

impl Stage {
    /// Plays the schedule whose actors these letters name. After the last letter, the actors go on one after the other.
    ///
    /// # Errors
    /// The same as those of [`explore`]. It is also an error when an actor can't go on where the letters want it.
    pub async fn replay(&mut self, options: &ExploreOptions, letters: &str) -> anyhow::Result<Schedule> {
        let chosen: String = letters.chars().take_while(char::is_ascii_digit).collect();
        let known = options.acts.len();
        let named = |letter: char, first: u8, choices: usize| {
            let number = usize::from(u8::try_from(letter.to_ascii_uppercase()).ok()?.checked_sub(first)?);
            (number < choices).then_some(number)
        };
        let choices = options.choices();
        if choices == 1 && !chosen.is_empty() {
            anyhow::bail!("chance has no part in this schedule. Play it without the digits {chosen}");
        }
        let dice: Option<Vec<usize>> = chosen.chars().map(|digit| named(digit, b'1', choices)).collect();
        let Some(dice) = dice.filter(|dice| dice.len() <= known) else {
            anyhow::bail!("{chosen}: chance has a digit from 1 to {choices} for each request, and no others")
        };
        let actors = letters[chosen.len()..].chars().map(|letter| named(letter, b'A', known));
        let Some(actors) = actors.collect::<Option<Vec<usize>>>() else {
            anyhow::bail!("a schedule consists of the letters of its actors, as ABBA; {letters} has others")
        };
        let piece = self.piece(&ExploreOptions { dice, ..options.clone() }).await?;
        crate::search::replay(self, &piece, &actors).await
    }

    /// What is played with these options.
    pub(crate) async fn piece(&mut self, options: &ExploreOptions) -> anyhow::Result<Piece> {
        let strategy = options.strategy();
        let stock = i64::from(options.stock);
        let needs_own_product = strategy.filter(|strategy| ExplorerDatabase::needs_own_product(strategy));
        if let Some(strategy) = needs_own_product.filter(|_| options.acts.contains(&Act::Reset)) {
            anyhow::bail!(
                "{strategy} sells a product of its own, which a reset leaves as it is. Choose another strategy"
            );
        }
        let product = self.database.product_for(strategy).await?;
        let has_units = strategy == Some("skip_locked");
        if has_units {
            self.database.make_units(product, stock).await?;
        }
        let quantity = if has_units { 0 } else { stock };
        let buckets = options.buckets();
        self.database.throw(&options.dice, options.choices()).await?;
        Ok(Piece {
            acts: options.acts.clone(),
            product,
            quantity,
            stock,
            buckets,
            dice: options.dice.clone(),
            inside: options.inside,
            trouble: options.trouble,
        })
    }
}

impl Exploration {
    /// Whether no schedule has broken a rule.
    pub fn is_right(&self) -> bool {
        self.counterexample.as_ref().is_none_or(|schedule| !schedule.outcome.breaks_a_rule())
    }

    fn count(&mut self, schedule: &Schedule) {
        let outcome = &schedule.outcome;
        let has = |flaw: Flaw| usize::from(outcome.flaws.contains(&flaw));
        self.schedules += 1;
        self.oversold += has(Flaw::Oversold);
        self.lost_sales += has(Flaw::LostSale);
        self.unconserved += has(Flaw::Unconserved);
        self.dishonest += has(Flaw::Dishonest);
        self.failed += has(Flaw::Failed);
        self.deadlocked += usize::from(outcome.deadlocks > 0);
        self.waited += usize::from(schedule.has_waited());
        self.troubled += usize::from(schedule.is_troubled);
        let answers: Vec<String> = schedule.replies.iter().map(|reply| reply.in_words()).collect();
        *self.answers.entry(answers.join(" ")).or_default() += 1;
        self.outcomes.insert(class(outcome));
        for note in &schedule.notes {
            *self.notes.entry(*note).or_default() += 1;
        }
    }

    pub(crate) fn keep(&mut self, schedule: Schedule) {
        let Some(worst) = schedule.outcome.flaws.first() else {
            let fit = |schedule: &Schedule| (!schedule.is_troubled, schedule.switches());
            let is_better = self.example.as_ref().is_none_or(|known| fit(&schedule) < fit(known));
            if schedule.has_waited() && is_better {
                self.example = Some(schedule);
            }
            return;
        };
        let badness = |flaw: Flaw, schedule: &Schedule| {
            (flaw, !schedule.is_troubled, schedule.switches(), schedule.steps.len())
        };
        let is_worse = self.counterexample.as_ref().is_none_or(|known| {
            known.outcome.flaws.first().is_none_or(|flaw| badness(*worst, &schedule) < badness(*flaw, known))
        });
        if is_worse {
            self.counterexample = Some(schedule);
        }
    }
}

fn class(outcome: &Outcome) -> OutcomeClass {
    (outcome.left, outcome.orders, outcome.statuses.clone(), outcome.flaws.clone())
}
