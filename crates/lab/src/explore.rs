//! `make explore`: what is said of an exploration. [`report`] is all of it, as text and as JSON, [`columns`] is one
//! schedule with what each read saw, and [`certificate`] says what was proven and what was not. [`requests`] has the words for what
//! was played.

pub mod certificate;
pub mod columns;
#[cfg(test)]
pub(crate) mod made_up;
pub mod played;
pub mod report;
pub mod requests;
