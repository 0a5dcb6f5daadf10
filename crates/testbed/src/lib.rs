//! Everything that is needed to run a shop on one machine: a private PostgreSQL ([`postgres`]), processes that can't
//! outlive us ([`guard`]), a replica as a process ([`shop_process`]), ports, files and logs. The lab runs the shop with
//! this crate, and the tests of all crates run theirs: [`testing`] is their harness.

pub mod guard;
pub mod http;
pub mod lock_holder;
pub mod log_file;
pub mod open_files;
pub mod own_files;
pub mod port;
pub mod postgres;
pub mod program_file;
pub mod reason;
pub mod shop_process;
pub mod shop_settings;
pub mod testing;
