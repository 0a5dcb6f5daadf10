//! Which purchases are explored, or played step by step.

/// Which purchases are explored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExploreOrder {
    /// The name of the strategy, or [`EXERCISE`].
    pub strategy: String,
    /// Copies at first.
    pub copies: u32,
}

/// The name of what the shop does when a purchase names no strategy.
pub const EXERCISE: &str = "exercise";

impl ExploreOrder {
    /// What is explored, in words: `exercise, 2 buyers of 1 copy`.
    pub fn in_words(&self) -> String {
        let Self { strategy, copies } = self;
        format!("{strategy}, 2 buyers of {copies} {}", if *copies == 1 { "copy" } else { "copies" })
    }
}
