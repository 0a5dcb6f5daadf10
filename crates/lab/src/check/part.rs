//! What all parts of a check have in common.

use std::time::SystemTime;

use super::verdict::Check;

/// What a part of the check has seen, or why it was not played.
pub type Part<T> = Result<T, String>;

/// A function that is told each check as soon as it is made, and when its purchases began.
pub type Made<'a> = &'a (dyn Fn(&Check, SystemTime) + Send + Sync);

/// A function that is told how far a check is.
pub type Say<'a> = &'a (dyn Fn(&str) + Send + Sync);
