//! The mistakes that can be named. Their sentences are in `texts/mistakes.txt`, where a teacher may rewrite them. They
//! say why something is not enough, and never what would be.

use serde::{Deserialize, Serialize};

use crate::reading::Sent;

const TEXTS: &str = include_str!("../texts/mistakes.txt");

/// A mistake. Its name in JSON stays the same from version to version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mistake {
    /// Nothing keeps two purchases from deciding on the same stock.
    NoLock,
    /// The stock is read again before the write, and that read holds nothing either.
    SecondLook,
    /// The lock ends with its statement: it was taken outside of the purchase's transaction.
    LockOutsideTransaction,
    /// The lock ended before the new stock was committed.
    LockGivenUpEarly,
    /// The lock came after the decision, or nobody looked at what was true once it was there.
    LockAfterDecision,
    /// The lock came after the order's INSERT, which holds the same row weakly: a deadlock.
    LockAfterInsert,
    /// The lock is on something at which the two purchases don't meet.
    LockElsewhere,
    /// The lock is one that both purchases can have.
    LockTooWeak,
    /// Readers wait, or buyers of other products.
    LockTooBroad,
    /// An absolute stock was written that the other purchase had changed meanwhile.
    LostUpdate,
    /// A guarded UPDATE changed no row, and the order was kept.
    UnreadRowCount,
    /// What was to decide lets a purchase through when no copy is left.
    WrongCondition,
    /// An order was kept, and no copy was taken out of the stock.
    CopyNeverTaken,
    /// A buyer was told no, and the order was kept.
    KeptAfterRefusal,
    /// An order was committed, and deleted afterwards.
    UndoneAfterwards,
    /// A mutex, a cache or a flag in the memory of a replica.
    GuardInOneProcess,
    /// A slow click sends no second request.
    RetryMissing,
    /// The payment takes less time than it should.
    PaymentCutShort,
    /// A conflict (40001, 40P01, 55P03, an old version, a lock that was tried in vain) is told to the buyer as a failure, or
    /// as "Out of stock".
    ConflictWithoutRetry,
    /// A statement failed, and the purchase went on in the transaction that had failed.
    GoesOnAfterError,
    /// Purchases begin again after a conflict, and in a crowd some run out of tries.
    TriesUsedUp,
    /// A constraint refused a write, and the buyer met a failure.
    ConstraintWithoutAnswer,
    /// The database has a rule that the exercise does not have.
    ConstraintAdded,
    /// A buyer was told yes, and the purchase has kept no order.
    UntrueAnswer,
    /// A buyer was told yes, and nothing was committed.
    NeverCommits,
    /// A buyer who is alone is told "Out of stock".
    RefusesEverybody,
    /// A purchase takes its copy first, and then takes what it left for what was there.
    CountsItsOwnCopy,
    /// A buyer who is alone meets a failure, or gets no answer.
    FailsAlone,
    /// A buyer who came too late meets a failure.
    LateBuyerMeetsFailure,
    /// `SKIP LOCKED` left out the row that is sold.
    RowSkipped,
}

/// A mistake, and the statements that show it, each with the index of its purchase.
pub(crate) type Found<'a> = (Mistake, Vec<(usize, &'a Sent)>);

impl Mistake {
    /// All of them.
    pub const ALL: [Self; 30] = [
        Self::NoLock,
        Self::SecondLook,
        Self::LockOutsideTransaction,
        Self::LockGivenUpEarly,
        Self::LockAfterDecision,
        Self::LockAfterInsert,
        Self::LockElsewhere,
        Self::LockTooWeak,
        Self::LockTooBroad,
        Self::LostUpdate,
        Self::UnreadRowCount,
        Self::WrongCondition,
        Self::CopyNeverTaken,
        Self::KeptAfterRefusal,
        Self::UndoneAfterwards,
        Self::GuardInOneProcess,
        Self::RetryMissing,
        Self::PaymentCutShort,
        Self::ConflictWithoutRetry,
        Self::GoesOnAfterError,
        Self::TriesUsedUp,
        Self::ConstraintWithoutAnswer,
        Self::ConstraintAdded,
        Self::UntrueAnswer,
        Self::NeverCommits,
        Self::RefusesEverybody,
        Self::CountsItsOwnCopy,
        Self::FailsAlone,
        Self::LateBuyerMeetsFailure,
        Self::RowSkipped,
    ];

    /// Its name, as JSON has it: `no_lock`.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }

    /// What it is, in a few sentences. Without a text in the file, it is the name.
    pub fn sentence(self) -> String {
        text_of(&self.name()).unwrap_or_else(|| self.name())
    }

    /// The same for a certain `case` of it. Without a text for this case, it is what holds for all cases.
    pub fn sentence_where(self, case: &str) -> String {
        text_of(&format!("{}, {case}", self.name())).unwrap_or_else(|| self.sentence())
    }
}

/// The text under this heading.
fn text_of(heading: &str) -> Option<String> {
    let texts = format!("\n{TEXTS}");
    let text = texts.split("\n[").find_map(|text| text.strip_prefix(heading)?.strip_prefix("]\n"))?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_mistake_has_its_sentence_and_each_sentence_its_mistake() {
        for mistake in Mistake::ALL {
            let sentence = mistake.sentence();
            assert!(sentence.ends_with('.') && sentence.len() > 40, "{}: {sentence}", mistake.name());
        }
        let headings = TEXTS.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'));
        let names: BTreeSet<&str> = headings.map(|heading| heading.split(", ").next().unwrap()).collect();
        assert_eq!(names, Mistake::ALL.map(Mistake::name).iter().map(String::as_str).collect());
        assert_eq!(Mistake::NoLock.name(), "no_lock");
    }

    #[test]
    fn no_sentence_gives_the_solution_away() {
        for word in ["FOR UPDATE", "get_by_id_for_update", "should", "instead"] {
            assert!(!TEXTS.contains(word), "{word}");
        }
    }
}
