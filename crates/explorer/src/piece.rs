//! What is played.

use uuid::Uuid;

use crate::act::Act;
use crate::trouble::Trouble;

/// Which statements are stopped inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Inside {
    /// None.
    Never,
    /// Those that read and write at once.
    WhereItReads,
    /// All that write.
    Always,
}

/// What is played.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub acts: Vec<Act>,
    pub product: Uuid,
    /// What `quantity` is at first. Where each copy is a row of its own, it is 0.
    pub quantity: i64,
    pub stock: i64,
    /// Over how many rows of `stock_buckets` the quantity is spread. 0: over none.
    pub buckets: usize,
    /// What chance chooses for each actor, as in [`crate::ExploreOptions`].
    pub dice: Vec<usize>,
    pub inside: Inside,
    /// What befalls the first actor.
    pub trouble: Option<Trouble>,
}

impl Inside {
    /// Whether this statement is one of them.
    pub fn stops(self, sql: &str) -> bool {
        if self == Self::Never {
            return false;
        }
        let lower = sql.to_ascii_lowercase();
        let has = |word: &str| {
            lower.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|found| found == word)
        };
        let writes = has("insert") || (has("update") && !has("for"));
        writes && (self == Self::Always || has("select") || has("with"))
    }
}
