//! The instruments around the shop: its processes ([`supervisor`]) and its database ([`database`]), the judge of a fix
//! ([`check`]), the race of the strategies ([`race`]), the drill of faults ([`drill`]), the benchmark ([`mod@bench`]), and [`commands`] for a person.
//! Only the league depends on this crate. What runs PostgreSQL and one replica is in `flash_sale_testbed`, the gateway
//! before the replicas is in `flash_sale_gateway`.

// They panic when nobody reads what they print: `console` does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod advice;
pub mod back_off;
pub mod bench;
pub mod build;
pub mod check;
pub mod commands;
pub mod console;
pub mod control;
pub mod database;
pub mod definitions;
pub mod drill;
pub mod explore;
pub mod guide;
pub mod hint;
pub mod predict;
pub mod program;
pub mod progress;
pub mod project;
pub mod race;
pub mod reach;
pub mod server;
pub mod settings;
pub mod shop;
pub mod signals;
pub mod stage;
pub mod statistics;
pub mod step;
pub mod supervisor;
pub mod table;
pub mod watch;
pub mod wording;
pub mod wrap;
