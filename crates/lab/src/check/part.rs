//! What all parts of a check have in common.

/// What a part of the check has seen, or why it was not played.
pub type Part<T> = Result<T, String>;

/// A function that is told how far a check is.
pub type Say<'a> = &'a (dyn Fn(&str) + Send + Sync);
