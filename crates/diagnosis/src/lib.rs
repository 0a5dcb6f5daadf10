//! Names the mistake that the statements of two purchases show, or says why a fix holds. Everything here is a function
//! of what was seen: nothing is sent, and nothing is read. Start with [`Reading`], which says what one purchase did.

pub mod deed;
#[cfg(test)]
mod made_up;
mod parts;
pub mod prediction;
pub mod reading;
pub mod sql;

pub use prediction::Prediction;
pub use reading::Reading;
