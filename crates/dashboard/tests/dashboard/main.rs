//! Tests of the dashboard. The fixtures are transactions as the wire sees them: the SQL is the shop's own.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod fixtures;
mod grouping;
mod pages;
mod pictures;
mod scripts;
mod served;
mod texts;
