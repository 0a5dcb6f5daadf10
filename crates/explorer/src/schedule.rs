//! What is known of a schedule: which actor went on at each step, and what came of it.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::act::Reply;
use crate::outcome::Outcome;
use crate::piece::Piece;
use crate::trouble::{Trouble, TroubleKind};

/// One order in which the actors' statements followed one another, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Schedule {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What chance chose for each actor, as in [`crate::ExploreOptions`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dice: Vec<usize>,
    /// What each actor was answered.
    pub replies: Vec<Reply>,
    /// What the rows and the answers say.
    pub outcome: Outcome,
    /// Whether the trouble that was asked for has befallen the first actor.
    pub is_troubled: bool,
    /// What the explorer could not control or see.
    pub notes: Vec<Note>,
}

/// An actor goes on by one statement, or by the rest of one that was stopped inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The index of the actor, from 0.
    pub actor: usize,
    /// The statement.
    pub sql: Arc<str>,
    /// Whether it is the rest of a statement: it was stopped after its snapshot, before it wrote.
    pub is_inside: bool,
    /// What has befallen the actor at this step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<TroubleKind>,
    /// What came of it.
    pub became: Became,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// Nothing has been heard of it yet.
    Sent,
    /// PostgreSQL has carried it out.
    Done,
    /// It waited for another actor's lock. It may be done by now.
    Waited,
    /// It was stopped inside, after its snapshot.
    Stopped,
    /// It failed with this SQLSTATE.
    Failed(String),
}

/// Something that the explorer could not control or see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// A request did nothing for long and waited for no lock: it waited inside the shop.
    WaitedInTheShop,
    /// A transaction was still open after the answer to its request. The explorer has ended its session.
    LeftOpen,
    /// One request had several statements waiting at once. They were let go in the order in which they came.
    SeveralAtOnce,
    /// An attempt was about to be repeated although nothing had changed. It was left out.
    RepeatedAttempt,
}

/// A step that can't be made: its actor waits for another one, or is done.
#[derive(Debug)]
pub struct NotPossible {
    /// The step, from 1.
    pub step: usize,
    /// The index of its actor.
    pub actor: usize,
}

impl fmt::Display for NotPossible {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, actor } = self;
        let letter = letter(*actor);
        write!(
            formatter,
            "step {step}: {letter} can't go on there. It waits for another purchase, or it is done"
        )
    }
}

impl std::error::Error for NotPossible {}

/// The letter of an actor: A, B, C.
pub fn letter(actor: usize) -> char {
    char::from(b'A' + u8::try_from(actor % 26).unwrap_or_default())
}

impl Schedule {
    /// The actors of all steps as letters. Where chance has a part in it, a digit for each actor comes first: `1` is the
    /// first choice. [`crate::Stage::replay`] runs the schedule again.
    pub fn letters(&self) -> String {
        let dice = self.dice.iter().map(|choice| (choice + 1).to_string());
        dice.chain(self.steps.iter().map(|step| letter(step.actor).to_string())).collect()
    }

    /// How often another actor goes on than the one before.
    pub fn switches(&self) -> usize {
        self.steps.windows(2).filter(|pair| pair[0].actor != pair[1].actor).count()
    }

    /// What has befallen an actor, and at which of its own steps. `None`: nothing has.
    pub fn trouble(&self) -> Option<Trouble> {
        let (place, kind) =
            self.steps.iter().enumerate().find_map(|(place, step)| Some((place, step.trouble?)))?;
        Some(Trouble { kind, step: own_statements(&self.steps[..place], self.steps[place].actor) })
    }

    /// Whether a statement waited for another actor's lock.
    pub fn has_waited(&self) -> bool {
        self.outcome.waits > 0
    }
}

/// How many statements this actor has sent in these steps.
fn own_statements(steps: &[Step], actor: usize) -> usize {
    steps.iter().filter(|step| step.actor == actor && !step.is_inside).count()
}

/// What befalls this actor at its next statement, after these steps.
pub(crate) fn trouble_at(piece: &Piece, actor: usize, steps: &[Step]) -> Option<TroubleKind> {
    let trouble = piece.trouble.filter(|trouble| actor == 0 && trouble.step == own_statements(steps, actor));
    Some(trouble?.kind)
}
