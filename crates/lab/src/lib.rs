//! The instruments around the shop: PostgreSQL behind it ([`postgres`]), its processes ([`supervisor`]), the
//! door before it ([`gateway`]), the judge of a fix ([`check`]), the race of the strategies
//! ([`race`]), the drill of faults ([`drill`]), and [`commands`] for a person. Nothing in the
//! shop depends on this crate; the tests do, for [`testing`].

pub mod back_off;
pub mod check;
pub mod commands;
pub mod control;
pub mod database;
pub mod definitions;
pub mod drill;
pub mod gateway;
pub mod guard;
pub mod guide;
pub mod hint;
pub mod http;
pub mod log_file;
pub mod percent;
pub mod port;
pub mod postgres;
pub mod progress;
pub mod project;
pub mod race;
pub mod server;
pub mod settings;
pub mod shop_process;
pub mod signals;
pub mod statistics;
pub mod supervisor;
pub mod table;
pub mod testing;
pub mod watch;
pub mod wrap;
