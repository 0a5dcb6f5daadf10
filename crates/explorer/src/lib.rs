//! The explorer: runs a few requests of the unmodified shop in every order in which their statements can follow one
//! another. Start with [`explore`] and with `play.rs`, which plays one schedule. `search.rs` goes through all of them.

mod about;
mod act;
mod actor;
mod by_hand;
mod chance;
mod database;
mod every_trouble;
mod exploration;
mod footprint;
mod interrupt;
mod leaving;
mod look;
mod meeting;
mod outcome;
mod piece;
mod play;
mod schedule;
mod search;
mod sleep;
mod stage;
mod trouble;

pub use about::DatabaseFacts;
pub use act::{Act, Reply};
pub use by_hand::{HandPlay, Played};
pub use chance::explore_all_dice;
pub use every_trouble::explore_trouble;
pub use exploration::{Exploration, ExploreOptions, OutcomeClass, explore};
pub use look::{HeldLock, Look, Next};
pub use meeting::Meeting;
pub use outcome::{Flaw, Outcome};
pub use piece::Inside;
pub use schedule::{Became, NotPossible, Note, Schedule, Step, letter};
pub use stage::{Stage, StageSettings};
pub use trouble::{Trouble, TroubleKind};
