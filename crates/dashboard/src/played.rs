//! The steps of two purchases, as they were played for a page, and what was seen between them.

use flash_sale_wiretap::trace::{Statement, Transaction};

use crate::engine_messages::BrokenRule;
use crate::explore_order::ExploreOrder;
use crate::lane::{self, Step};

/// What is to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayOrder {
    /// Which purchases.
    pub purchases: ExploreOrder,
    /// The indexes of the purchases that go on, one for each step.
    pub steps: Vec<usize>,
    /// So many of these steps must be possible as they are. After them, a step that is not possible is left to the other
    /// purchase.
    pub fixed: usize,
    /// Whether the purchases go on after these steps until both are done.
    pub is_to_the_end: bool,
}

/// What was played.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// The steps.
    pub steps: Vec<PlayedStep>,
    /// What was seen before the first step and after each step: one more than there are steps.
    pub looks: Vec<Look>,
    /// The transactions that were played.
    pub transactions: Vec<Transaction>,
    /// The HTTP status of each purchase's answer. `None`: it has not been answered.
    pub answers: Vec<Option<u16>>,
    /// What came of it. `None`: not all purchases are done.
    pub outcome: Option<PlayedOutcome>,
    /// The shop's sources that have changed since the program was built that was played.
    pub newer_sources: Vec<String>,
}

/// A purchase goes on by one statement.
#[derive(Clone, Debug)]
pub struct PlayedStep {
    /// The index of the purchase.
    pub actor: usize,
    /// The statement.
    pub sql: String,
}

/// A moment between two steps.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Copies that are left, as far as it is committed.
    pub left: i64,
    /// Orders that are committed.
    pub orders: u64,
    /// The locks that are held or awaited.
    pub locks: Vec<PlayedLock>,
    /// Which purchase waits for which other.
    pub waits: Vec<(usize, usize)>,
    /// The purchases that can go on, with their next statements.
    pub next: Vec<(usize, String)>,
}

/// A lock that a purchase holds, or waits for.
#[derive(Clone, Debug)]
pub struct PlayedLock {
    /// The index of the purchase.
    pub actor: usize,
    /// What is locked.
    pub what: String,
    /// How, in PostgreSQL's words.
    pub mode: String,
    /// `false`: the purchase waits for it.
    pub is_granted: bool,
}

/// What came of the purchases.
#[derive(Clone, Debug)]
pub struct PlayedOutcome {
    /// Copies that are left.
    pub left: i64,
    /// Orders that were made.
    pub orders: usize,
    /// The worst rule that was broken.
    pub flaw: Option<BrokenRule>,
}

/// Why nothing was played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotPlayed {
    /// A step is not possible: its purchase waits or is done. The reason, for a page.
    NotPossible(String),
    /// It can't be played just now. The reason, for a page.
    NotNow(String),
}

impl NotPlayed {
    /// The reason, for a page.
    pub fn in_words(self) -> String {
        match self {
            Self::NotPossible(reason) | Self::NotNow(reason) => reason,
        }
    }
}

/// The letter of a purchase: A or B.
pub fn letter(actor: usize) -> char {
    char::from(b'A' + u8::try_from(actor % 26).unwrap_or_default())
}

/// The steps that these letters name. `None`: there are other letters, or too many.
pub fn parse_letters(letters: &str) -> Option<Vec<usize>> {
    let step = |letter: char| match letter {
        'A' => Some(0),
        'B' => Some(1),
        _ => None,
    };
    (letters.len() <= MOST_STEPS).then(|| letters.chars().map(step).collect())?
}

/// More steps than two purchases make. An address is not longer than this.
const MOST_STEPS: usize = 500;

impl Played {
    /// The purchases of all steps as letters.
    pub fn letters(&self) -> String {
        self.steps.iter().map(|step| letter(step.actor)).collect()
    }

    /// What the wire saw of each step. `None`: it saw nothing of it.
    pub fn seen(&self) -> Vec<Option<Step<'_>>> {
        let mut of_actors: Vec<Vec<Step<'_>>> = (0..2).map(|actor| self.statements_of(actor)).collect();
        let next = |step: &PlayedStep| {
            let statements = of_actors.get_mut(step.actor)?;
            let place = statements.iter().position(|it| is_same(it.statement, &step.sql))?;
            // What came before it was not held, and is no step.
            statements.drain(..=place).next_back()
        };
        self.steps.iter().map(next).collect()
    }

    /// A purchase's statements in the order of time. Each purchase has a replica of its own.
    fn statements_of(&self, actor: usize) -> Vec<Step<'_>> {
        let Some(began_at) = self.transactions.iter().map(|it| it.began_at).min() else { return Vec::new() };
        let replica = format!("replica-{}", actor + 1);
        let own = self.transactions.iter().filter(|transaction| transaction.replica == replica);
        let mut steps: Vec<Step<'_>> = own.flat_map(|own| lane::steps(began_at, own)).collect();
        steps.sort_by(|one, other| one.began_ms.total_cmp(&other.began_ms));
        steps
    }
}

/// Very long SQL is cut by the wire.
fn is_same(statement: &Statement, sql: &str) -> bool {
    statement.sql == sql || (statement.sql.len() > 200 && sql.starts_with(&statement.sql[..200]))
}
