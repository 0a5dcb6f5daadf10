//! The parts of `lab watch`: files that change, keys that are pressed, and what is done after a save. The command
//! itself is [`crate::commands::watch`].

pub mod changes;
pub mod cycle;
pub mod keys;
