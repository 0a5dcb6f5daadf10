//! Tests of the dashboard. The fixtures are transactions as the wire sees them: the SQL is the shop's own.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod benchmark;
mod fake_rooms;
mod fixtures;
mod grouping;
mod metrics;
mod pages;
mod pictures;
mod race;
mod scripts;
mod served;
mod slow_motion;
mod state;
mod texts;
mod verdict;
