//! Names the mistake that the statements of two purchases show, or says why a fix holds. Everything here is a function
//! of what was seen: nothing is sent, and nothing is read. Start with [`diagnose()`]. [`Reading`] says what one purchase
//! did.

mod conflicts;
pub mod deed;
mod diagnose;
mod evidence;
mod given_up;
mod locks;
#[cfg(test)]
mod made_up;
mod mistake;
mod parts;
pub mod prediction;
pub mod reading;
mod sales;
mod shown;
pub mod sql;
#[cfg(test)]
mod tests;
mod why;

pub use diagnose::{Diagnosis, diagnose};
pub use evidence::{Evidence, Purchase, Sign};
pub use mistake::Mistake;
pub use prediction::Prediction;
pub use reading::Reading;
pub use shown::Shown;
pub use why::{WhyItHolds, why_it_holds};
