//! The instruments around the shop: PostgreSQL behind it ([`postgres`]), its processes ([`supervisor`]), the
//! door before it ([`gateway`]), the judge of a fix ([`check`]), the race of the strategies
//! ([`race`]), the drill of faults ([`drill`]), a line to PostgreSQL that can fail ([`mod@line`]), and
//! [`commands`] for a person. Nothing in the shop depends on this crate; the tests do, for [`testing`].

// They panic when nobody reads what they print: `console` does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod back_off;
pub mod build;
pub mod check;
pub mod commands;
pub mod console;
pub mod control;
pub mod database;
pub mod definitions;
pub mod drill;
pub mod gateway;
pub mod guard;
pub mod guide;
pub mod hint;
pub mod http;
pub mod line;
pub mod lock_holder;
pub mod log_file;
pub mod open_files;
pub mod own_files;
pub mod port;
pub mod postgres;
pub mod program;
pub mod progress;
pub mod project;
pub mod race;
pub mod reach;
pub mod reason;
pub mod server;
pub mod settings;
pub mod shop_process;
pub mod signals;
pub mod statistics;
pub mod supervisor;
pub mod table;
pub mod testing;
pub mod watch;
pub mod wording;
pub mod wrap;
